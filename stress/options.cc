#include "stress/options.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <vector>

#include "base/duration.h"
#include "base/flags.h"
#include "base/suggest.h"
#include "stress/presets.h"
#include "stress/scenario_file.h"
#include "stress/wording.h"

namespace atalaya::stress {
namespace {

using std::chrono::milliseconds;

constexpr std::int64_t kNotGiven = INT64_MIN;

struct RawOptions {
  std::string command, scenario;
  std::string target = "mqtt://127.0.0.1:1883", ca_file, mqtt;
  std::int64_t clients = kNotGiven, payload_bytes = kNotGiven, qos = kNotGiven, seed = kNotGiven;
  std::int64_t window = kNotGiven;
  double rate = -1, connect_rate = -1;
  std::string duration, keep_alive, reconnect_after, arrivals, topic_prefix;
  std::vector<std::string> asserts;
  std::string slo = "p99<10ms,loss=0", probe = "5s", metrics_listen;
  double max_rate = kMaxRatePerS;
  std::int64_t repetitions = 3;
  bool owned = false;
};

Status InRange(std::string_view flag, std::int64_t value, std::int64_t min, std::int64_t max) {
  if (value >= min && value <= max) return {};
  return Fail(ErrorCode::kInvalid, "--{}: {} is out of range (write {} to {})", flag, value, min,
              max);
}

Result<milliseconds> DurationFlag(std::string_view flag, const std::string& text) {
  Result<milliseconds> duration = ParseDuration(text);
  if (!duration) return Fail(ErrorCode::kInvalid, "--{}: {}", flag, duration.error().message);
  return duration;
}

Result<Target> ReadTarget(const RawOptions& raw) {
  Result<Target> target = ParseTarget(raw.target);
  if (!target) return Fail(ErrorCode::kInvalid, "--target: {}", target.error().message);
  if (!IsLoopback(target->address.host) && !raw.owned) {
    return Fail(ErrorCode::kRefused,
                "--target: {} is not this machine; a load on someone else's server is an attack. "
                "If it is yours, say --i-own-this-target",
                target->address.host);
  }
  target->ca_file = raw.ca_file;
  return target;
}

// A file where there is one of that name, else a preset.
Result<Scenario> FindScenario(const std::string& name, std::string* text) {
  std::error_code error;
  if (name.ends_with(".toml") || std::filesystem::is_regular_file(name, error)) {
    return LoadScenario(name);
  }
  Result<std::string> preset = PresetText(name);
  if (!preset) return Fail(ErrorCode::kInvalid, "{}", preset.error().message);
  *text = *preset;
  return ParseScenario(*preset, name);
}

// Every pair of the scenario's flows of pairs.
Status SetClients(std::int64_t clients, Scenario* scenario) {
  if (Status good = InRange("clients", clients, 1, kMaxConnections / 2); !good) return good;
  bool found = false;
  for (Flow& flow : scenario->flows) {
    if (flow.publishers == 0 || flow.publishers != flow.subscribers ||
        flow.publishers != flow.topics) {
      continue;
    }
    flow.publishers = flow.subscribers = flow.topics = clients;
    found = true;
  }
  if (found) return {};
  return Fail(ErrorCode::kInvalid, "--clients: \"{}\" has no pairs; write a scenario of your own",
              scenario->name);
}

Status SetRate(double rate, Scenario* scenario) {
  if (!(rate > 0 && rate <= kMaxRatePerS)) {
    return Fail(ErrorCode::kInvalid,
                "--rate: {} is out of range (write messages per second, up to {})", rate,
                WordNumber(kMaxRatePerS));
  }
  const double before = scenario->rate_per_s();
  if (before == 0) {
    return Fail(ErrorCode::kInvalid, "--rate: \"{}\" publishes nothing", scenario->name);
  }
  for (Flow& flow : scenario->flows) flow.rate_per_s *= rate / before;
  return {};
}

// Stretches or shrinks phases and faults alike.
Status SetDuration(const std::string& text, Scenario* scenario) {
  const Result<milliseconds> wanted = DurationFlag("duration", text);
  if (!wanted) return Forward(wanted.error());
  if (*wanted < kMinDuration || *wanted > kMaxDuration) {
    return Fail(ErrorCode::kInvalid, "--duration: {} is out of range (write {} to {})", text,
                FormatDuration(kMinDuration), FormatDuration(kMaxDuration));
  }
  const double factor =
      static_cast<double>(wanted->count()) / static_cast<double>(scenario->duration().count());
  const auto scaled = [factor](milliseconds duration) {
    return milliseconds(static_cast<std::int64_t>(static_cast<double>(duration.count()) * factor));
  };
  for (Phase& phase : scenario->phases) phase.duration = scaled(phase.duration);
  scenario->phases.back().duration += *wanted - scenario->duration();  // What rounding took.
  for (Fault& fault : scenario->faults) {
    fault.at = scaled(fault.at);
    fault.lasts = scaled(fault.lasts);
  }
  return {};
}

Status SetFlows(const RawOptions& raw, Scenario* scenario) {
  if (raw.payload_bytes != kNotGiven) {
    if (Status good = InRange("payload-bytes", raw.payload_bytes, 32, kMaxPayloadBytes); !good) {
      return good;
    }
    for (Flow& flow : scenario->flows) flow.payload_bytes = raw.payload_bytes;
  }
  if (raw.qos != kNotGiven) {
    if (Status good = InRange("qos", raw.qos, 0, 2); !good) return good;
    for (Flow& flow : scenario->flows) flow.qos = static_cast<int>(raw.qos);
  }
  if (raw.clients != kNotGiven) {
    if (Status good = SetClients(raw.clients, scenario); !good) return good;
  }
  if (raw.rate != -1) {
    if (Status good = SetRate(raw.rate, scenario); !good) return good;
  }
  return raw.duration.empty() ? Status() : SetDuration(raw.duration, scenario);
}

Status SetProtocol(const RawOptions& raw, Scenario* scenario) {
  if (!raw.mqtt.empty()) {
    if (raw.mqtt != "3.1.1" && raw.mqtt != "5") {
      return Fail(ErrorCode::kInvalid, "--mqtt: \"{}\" is no version (write 3.1.1 or 5)", raw.mqtt);
    }
    scenario->version = raw.mqtt == "5" ? mqtt::Version::k5 : mqtt::Version::k311;
  }
  if (!raw.keep_alive.empty()) {
    const Result<milliseconds> time = DurationFlag("keep-alive", raw.keep_alive);
    if (!time) return Forward(time.error());
    scenario->keep_alive = std::chrono::duration_cast<std::chrono::seconds>(*time);
  }
  if (!raw.reconnect_after.empty()) {
    const Result<milliseconds> time = DurationFlag("reconnect-after", raw.reconnect_after);
    if (!time) return Forward(time.error());
    scenario->reconnect_after = *time;
  }
  if (!raw.arrivals.empty()) {
    const std::vector<std::string> names = {"constant", "poisson", "closed"};
    const auto found = std::find(names.begin(), names.end(), raw.arrivals);
    if (found == names.end()) {
      return Fail(ErrorCode::kInvalid, "--arrivals: \"{}\" (write constant, poisson or closed){}",
                  raw.arrivals, DidYouMean(raw.arrivals, names));
    }
    scenario->arrivals = static_cast<Arrivals>(found - names.begin());
  }
  if (raw.window != kNotGiven) scenario->window = raw.window;
  if (raw.seed != kNotGiven) scenario->seed = static_cast<std::uint64_t>(raw.seed);
  if (raw.connect_rate != -1) scenario->connect_rate_per_s = raw.connect_rate;
  if (!raw.topic_prefix.empty()) scenario->topic_prefix = raw.topic_prefix;
  for (const std::string& text : raw.asserts) {
    Result<std::vector<Objective>> read = ParseObjectives(text);
    if (!read) return Fail(ErrorCode::kInvalid, "--assert: {}", read.error().message);
    scenario->objectives.insert(scenario->objectives.end(), read->begin(), read->end());
  }
  return {};
}

Status CheckProcess(const Options& options) {
  const Scenario& scenario = options.scenario;
  if (options.server_pid < 0) {
    return Fail(ErrorCode::kInvalid, "--server-pid: {} is no pid", options.server_pid);
  }
  if (!options.start.empty() && options.server_pid != 0) {
    return Fail(ErrorCode::kInvalid, "--start and --server-pid: write one of the two");
  }
  if (!options.start.empty() && !IsLoopback(scenario.target.address.host)) {
    return Fail(ErrorCode::kInvalid, "--start: the target is not on this machine");
  }
  if (scenario.HasProcessFaults() && options.start.empty() && options.server_pid == 0) {
    return Fail(ErrorCode::kInvalid,
                "\"{}\" kills or halts the server: name it with --server-pid, or let it be started "
                "with --start",
                scenario.name);
  }
  const bool plain = !scenario.target.tls && !scenario.target.websocket;
  for (const Fault& fault : scenario.faults) {
    if (plain || fault.OnProcess() || fault.ByWorkers()) continue;
    return Fail(ErrorCode::kInvalid, "fault \"{}\" needs a target mqtt://HOST:PORT",
                FaultName(fault.kind));
  }
  return {};
}

Status ReadCapacity(const RawOptions& raw, Options* options) {
  CapacityPlan& plan = options->capacity;
  Result<std::vector<Objective>> objectives = ParseObjectives(raw.slo);
  if (!objectives) return Fail(ErrorCode::kInvalid, "--slo: {}", objectives.error().message);
  plan.objectives = std::move(*objectives);
  plan.slo = raw.slo;
  const Result<milliseconds> probe = DurationFlag("probe", raw.probe);
  if (!probe) return Forward(probe.error());
  plan.probe = *probe;
  plan.max_rate_per_s = raw.max_rate;
  plan.repetitions = raw.repetitions;
  if (plan.probe < kMinDuration || plan.probe > kMaxProbe) {
    return Fail(ErrorCode::kInvalid, "--probe: {} is out of range (write {} to {})", raw.probe,
                FormatDuration(kMinDuration), FormatDuration(kMaxProbe));
  }
  if (!(plan.max_rate_per_s > 0 && plan.max_rate_per_s <= kMaxRatePerS)) {
    return Fail(ErrorCode::kInvalid, "--max-rate: {} is out of range (write up to {})",
                plan.max_rate_per_s, WordNumber(kMaxRatePerS));
  }
  if (Status good = InRange("repetitions", plan.repetitions, 3, 10); !good) return good;
  if (options->scenario.rate_per_s() == 0 || options->scenario.arrivals == Arrivals::kClosed) {
    return Fail(ErrorCode::kInvalid, "capacity needs a scenario that publishes at a rate");
  }
  return {};
}

// A run of an hour must not end in a report that cannot be written.
Status Writable(std::string_view flag, const std::string& path) {
  if (path.empty()) return {};
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) {
    return Fail(ErrorCode::kInvalid, "--{}: {} is a folder (write a file)", flag, path);
  }
  const std::string checked = folder.empty() ? "." : folder.string();
  if (access(checked.c_str(), W_OK | X_OK) == 0) return {};
  return Fail(ErrorCode::kInvalid, "--{}: cannot write into {}: {}", flag, checked,
              ErrnoText(errno));
}

Status CheckFiles(const Options& options) {
  for (const auto& [flag, path] :
       {std::pair{"report", &options.report}, std::pair{"json", &options.json},
        std::pair{"csv", &options.csv}}) {
    if (Status good = Writable(flag, *path); !good) return good;
  }
  if (options.baseline.empty() || access(options.baseline.c_str(), R_OK) == 0) return {};
  return Fail(ErrorCode::kInvalid, "--baseline: cannot read {}: {}", options.baseline,
              ErrnoText(errno));
}

Result<CommandWord> ReadCommand(const RawOptions& raw) {
  const std::vector<std::string> words = {"run", "capacity", "presets", "show"};
  const auto found = std::find(words.begin(), words.end(), raw.command);
  if (found == words.end()) {
    return Fail(ErrorCode::kInvalid,
                "unknown command \"{}\" (write run, capacity, presets or show){}", raw.command,
                DidYouMean(raw.command, words));
  }
  return static_cast<CommandWord>(found - words.begin());
}

void AddFlags(Flags& flags, RawOptions& raw, Options& options) {
  flags.AddPositional("command", &raw.command, "run, capacity, presets or show", true);
  flags.AddPositional("scenario", &raw.scenario, "A scenario file (TOML) or a preset's name",
                      false);
  flags.Add("target", &raw.target, "The server: mqtt://, mqtts://, ws:// or wss://HOST:PORT");
  flags.Add("ca-file", &raw.ca_file, "PEM: who signed the server's certificate");
  flags.AddSwitch("i-own-this-target", &raw.owned, "Needed where the target is not loopback");
  flags.Add("clients", &raw.clients, "Pairs; each has two connections and a topic");
  flags.Add("rate", &raw.rate, "Messages per second, all publishers together");
  flags.Add("duration", &raw.duration, "How long the load lasts: 10s, 2m, 1h");
  flags.Add("payload-bytes", &raw.payload_bytes, "Bytes of each payload, 32 or more");
  flags.Add("qos", &raw.qos, "0, 1 or 2, for publishing and subscribing");
  flags.Add("mqtt", &raw.mqtt, "3.1.1 or 5");
  flags.Add("keep-alive", &raw.keep_alive, "Of every connection: 5m; 0 for none");
  flags.Add("topic-prefix", &raw.topic_prefix, "What the load's topics begin with");
  flags.Add("arrivals", &raw.arrivals, "constant, poisson or closed");
  flags.Add("window", &raw.window, "With closed arrivals: messages under way of each publisher");
  flags.Add("connect-rate", &raw.connect_rate, "Connections opened per second; 0: no limit");
  flags.Add("reconnect-after", &raw.reconnect_after,
            "When a lost connection is opened again; 0: never");
  flags.Add("seed", &raw.seed, "Of payloads and of Poisson's gaps");
  flags.Add("assert", &raw.asserts, "An objective that must be met: p99<10ms; repeatable");
  flags.Add("slo", &raw.slo, "With capacity: the objectives");
  flags.Add("probe", &raw.probe, "With capacity: how long each rate is tried");
  flags.Add("max-rate", &raw.max_rate, "With capacity: the highest rate to try");
  flags.Add("repetitions", &raw.repetitions, "With capacity: runs that must meet the objectives");
  flags.Add("report", &options.report, "File for the HTML report");
  flags.Add("json", &options.json, "File for the same data as JSON");
  flags.Add("csv", &options.csv, "File for the timeline as CSV");
  flags.Add("baseline", &options.baseline, "JSON of an earlier run to compare with");
  flags.Add("server-pid", &options.server_pid,
            "The server's process, to watch and to do faults to; default to watch: who listens on "
            "the target's port");
  flags.Add("start", &options.start, "Command that starts the server; it ends with the run");
  flags.Add("alertd", &options.alertd, "http://HOST:PORT whose API is asked for alerts");
  flags.Add("alertd-token-file", &options.alertd_token_file, "File with the token that it asks for");
  flags.Add("metrics-listen", &raw.metrics_listen,
            "HOST:PORT for Prometheus, while the run goes on");
}

}  // namespace

Result<Options> ParseOptions(int argc, const char* const* argv) {
  Options options;
  RawOptions raw;
  Flags flags(
      "cloud_stress",
      "Puts a load on a packet server, measures it from the intended send time, proves what "
      "was delivered, and writes a report.");
  AddFlags(flags, raw, options);
  if (Status parsed = flags.Parse(argc, argv); !parsed) return Forward(parsed.error());
  const Result<CommandWord> command = ReadCommand(raw);
  if (!command) return Forward(command.error());
  options.command = *command;
  if (options.command == CommandWord::kPresets) return options;
  if (raw.scenario.empty()) raw.scenario = "p2p";
  Result<Scenario> scenario = FindScenario(raw.scenario, &options.scenario_text);
  if (!scenario) return Forward(scenario.error());
  options.scenario = std::move(*scenario);
  if (options.command == CommandWord::kShow) return options;
  Result<Target> target = ReadTarget(raw);
  if (!target) return Forward(target.error());
  options.scenario.target = std::move(*target);
  if (!raw.metrics_listen.empty()) {
    Result<HostPort> listen = ParseHostPort(raw.metrics_listen);
    if (!listen) return Fail(ErrorCode::kInvalid, "--metrics-listen: {}", listen.error().message);
    options.metrics_listen = std::move(*listen);
  }
  for (const Status& step :
       {SetFlows(raw, &options.scenario), SetProtocol(raw, &options.scenario)}) {
    if (!step) return Forward(step.error());
  }
  if (Status good = CheckScenario(options.scenario); !good) return Forward(good.error());
  if (Status good = CheckProcess(options); !good) return Forward(good.error());
  if (options.command == CommandWord::kCapacity) {
    if (Status good = ReadCapacity(raw, &options); !good) return Forward(good.error());
  }
  if (Status good = CheckFiles(options); !good) return Forward(good.error());
  return options;
}

}  // namespace atalaya::stress
