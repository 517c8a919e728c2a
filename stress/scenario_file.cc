#include "stress/scenario_file.h"

#include <algorithm>

#include "base/config.h"
#include "stress/stamp.h"

namespace atalaya::stress {
namespace {

using std::chrono::milliseconds;

constexpr std::int64_t kAny = 1'000'000'000;  // CheckScenario knows the real bounds.

std::vector<Objective> ReadObjectives(ConfigTable& table) {
  std::vector<Objective> objectives;
  for (const std::string& text : table.Strings("assert")) {
    Result<std::vector<Objective>> read = ParseObjectives(text);
    if (!read) {
      table.Fault("assert", read.error().message);
      continue;
    }
    objectives.insert(objectives.end(), read->begin(), read->end());
  }
  return objectives;
}

Flow ReadFlow(ConfigTable& table) {
  Flow flow;
  flow.name = table.String("name", "load");
  flow.publishers = table.Integer("publishers", 0, 0, kAny);
  flow.subscribers = table.Integer("subscribers", 0, 0, kAny);
  flow.topics = table.Integer("topics", std::max<std::int64_t>(flow.publishers, 1), 1, kAny);
  flow.idle = table.Integer("idle", 0, 0, kAny);
  flow.subscribe_all = table.OneOf("subscribe", "own", {"own", "all"}) == "all";
  flow.shared = table.Bool("shared", false);
  flow.persistent = table.Bool("persistent", false);
  flow.rate_per_s = table.Number("rate", 0);
  flow.qos = static_cast<int>(table.Integer("qos", 0, 0, 2));
  flow.payload_bytes =
      table.Integer("payload_bytes", 64, static_cast<std::int64_t>(kStampBytes), kMaxPayloadBytes);
  return flow;
}

Phase ReadPhase(ConfigTable& table) {
  Phase phase;
  phase.name = table.String("name", "load");
  phase.duration = table.Duration("duration", milliseconds{10'000});
  phase.load_from = table.Number("load", 1);
  phase.load_to = table.Number("load_to", phase.load_from);
  phase.objectives = ReadObjectives(table);
  return phase;
}

Fault ReadFault(ConfigTable& table) {
  Fault fault;
  const std::vector<std::string> names(kFaultNames.begin(), kFaultNames.end());
  const std::string kind = table.OneOf("kind", "stop", names);
  const auto found = std::find(names.begin(), names.end(), kind);
  if (found != names.end()) fault.kind = static_cast<FaultKind>(found - names.begin());
  fault.at = table.Duration("at", milliseconds{0});
  fault.lasts = table.Duration("for", milliseconds{1'000});
  fault.count = table.Integer("count", 10, 1, kMaxFaultConnections);
  fault.alert = table.String("alert");
  return fault;
}

Result<Scenario> Read(ConfigFile file, const std::string& name) {
  ConfigTable root = file.Root();
  Scenario scenario;
  scenario.name = root.String("name", name);
  scenario.description = root.String("description");
  scenario.version = root.OneOf("version", "3.1.1", {"3.1.1", "5"}) == "5" ? mqtt::Version::k5
                                                                           : mqtt::Version::k311;
  const std::string arrivals =
      root.OneOf("arrivals", "constant", {"constant", "poisson", "closed"});
  scenario.arrivals = arrivals == "poisson"  ? Arrivals::kPoisson
                      : arrivals == "closed" ? Arrivals::kClosed
                                             : Arrivals::kConstant;
  scenario.window = root.Integer("window", 1, 1, kMaxWindow);
  scenario.seed = static_cast<std::uint64_t>(root.Integer("seed", 1, 0, INT64_MAX));
  scenario.keep_alive = std::chrono::duration_cast<std::chrono::seconds>(
      root.Duration("keep_alive", milliseconds{300'000}));
  scenario.connect_rate_per_s = root.Number("connect_rate", 0);
  scenario.reconnect_after = root.Duration("reconnect_after", milliseconds{0});
  scenario.topic_prefix = root.String("topic_prefix", scenario.topic_prefix);
  scenario.objectives = ReadObjectives(root);
  for (ConfigTable& table : root.Tables("flow")) scenario.flows.push_back(ReadFlow(table));
  for (ConfigTable& table : root.Tables("phase")) scenario.phases.push_back(ReadPhase(table));
  for (ConfigTable& table : root.Tables("fault")) scenario.faults.push_back(ReadFault(table));
  if (scenario.phases.empty()) scenario.phases.emplace_back();
  if (Status good = file.Finish(); !good) return Forward(good.error());
  return scenario;
}

}  // namespace

Result<Scenario> LoadScenario(const std::string& path) {
  Result<ConfigFile> file = ConfigFile::Load(path);
  if (!file) return Forward(file.error());
  Result<Scenario> scenario = Read(std::move(*file), path);
  if (!scenario) return scenario;
  if (Status good = CheckScenario(*scenario); !good) {
    return Fail(ErrorCode::kInvalid, "{}: {}", path, good.error().message);
  }
  return scenario;
}

Result<Scenario> ParseScenario(std::string_view text, const std::string& name) {
  Result<ConfigFile> file = ConfigFile::Parse(text, name);
  if (!file) return Forward(file.error());
  return Read(std::move(*file), name);
}

}  // namespace atalaya::stress
