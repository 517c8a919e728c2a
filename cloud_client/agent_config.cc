#include "cloud_client/agent_config.h"

#include <stdlib.h>

#include <set>

#include "base/config.h"
#include "base/duration.h"
#include "base/flags.h"
#include "cloud_client/commands.h"
#include "mqtt/client_level.h"
#include "mqtt/topic.h"

namespace atalaya::cloud_client {
namespace {

constexpr std::string_view kNoSpool = "none";

Result<std::chrono::milliseconds> CheckInterval(std::chrono::milliseconds interval) {
  if (interval >= kMinReadingInterval && interval <= kMaxReadingInterval) return interval;
  return Fail(ErrorCode::kInvalid, "{} is out of range ({} to {})", FormatDuration(interval),
              FormatDuration(kMinReadingInterval), FormatDuration(kMaxReadingInterval));
}

std::chrono::milliseconds ReadInterval(ConfigTable* table, std::string_view key,
                                       std::chrono::milliseconds otherwise) {
  const auto interval = CheckInterval(table->Duration(key, otherwise));
  if (interval) return *interval;
  table->Fault(key, interval.error().message);
  return otherwise;
}

Status CheckAgentId(const std::string& id) {
  if (!mqtt::IsValidTopicName(id) || !mqtt::IsValidUtf8(id) || id.find('/') != std::string::npos) {
    return Fail(
        ErrorCode::kInvalid,
        "\"{}\" cannot be a level of the topic telemetry/ID (write UTF-8 without /, + and #)", id);
  }
  return {};
}

// Reads the agent's own tables.
class AgentFile {
 public:
  AgentFile(ConfigTable root, AgentConfig* config) : root_(root), config_(config) {
    for (const ReadingKind& kind : MachineReadings(config_->roots)) names_.insert(kind.name);
    names_.insert("agent");
  }

  void Read() {
    if (root_.Has("id")) {
      config_->id = root_.String("id");
      if (Status good = CheckAgentId(config_->id); !good) root_.Fault("id", good.error().message);
    }
    config_->interval = ReadInterval(&root_, "interval", config_->interval);
    config_->spool_bytes = root_.Size("spool_size", config_->spool_bytes);
    if (config_->spool_bytes < kMinSpoolBytes) {
      root_.Fault("spool_size", fmt::format("must be at least {} bytes", kMinSpoolBytes));
    }
    ConfigTable intervals = root_.Table("intervals");
    for (const ReadingKind& kind : MachineReadings(config_->roots)) {
      if (!intervals.Has(kind.name)) continue;
      config_->intervals[kind.name] = ReadInterval(&intervals, kind.name, config_->interval);
    }
    for (ConfigTable& table : root_.Tables("file")) {
      config_->files.push_back({.name = Name(&table),
                                .path = table.RequiredString("path"),
                                .interval = ReadInterval(&table, "interval", config_->interval)});
    }
    for (ConfigTable& table : root_.Tables("command")) ReadCommand(&table);
  }

 private:
  // Part of the topic, thus once only.
  std::string Name(ConfigTable* table) {
    std::string name = table->RequiredString("name");
    if (name.empty()) return name;
    if (!mqtt::IsValidTopicName(name) || !mqtt::IsValidUtf8(name)) {
      table->Fault("name", "cannot be part of a topic (no + and no #)");
    } else if (!names_.insert(name).second) {
      table->Fault("name", fmt::format("\"{}\" is the name of another reading", name));
    }
    return name;
  }

  void ReadCommand(ConfigTable* table) {
    TimedCommand command;
    command.spec.name = Name(table);
    command.spec.run = table->Strings("run");
    if (command.spec.run.empty()) {
      table->Fault("run", "needed: the program and its arguments, [\"/usr/bin/program\", \"-x\"]");
    }
    command.interval = ReadInterval(table, "interval", config_->interval);
    command.spec.timeout =
        table->Duration("timeout", std::min(kDefaultCommandTimeout, command.interval));
    if (command.spec.timeout.count() <= 0 || command.spec.timeout > command.interval) {
      table->Fault("timeout", fmt::format("must be more than 0 and at most the interval, {}",
                                          FormatDuration(command.interval)));
    }
    config_->commands.push_back(std::move(command));
  }

  ConfigTable root_;
  AgentConfig* config_;
  std::set<std::string> names_;
};

std::string FromEnvironment(const char* name) {
  const char* value = getenv(name);
  return value == nullptr ? "" : value;
}

Result<std::string> DefaultSpool(const std::string& id) {
  const std::string folder = "agent-" + mqtt::EncodeClientId(id);
  const std::string state = FromEnvironment("STATE_DIRECTORY");
  if (!state.empty()) return state.substr(0, state.find(':')) + "/" + folder;
  const std::string xdg = FromEnvironment("XDG_STATE_HOME");
  if (!xdg.empty()) return xdg + "/atalaya/" + folder;
  const std::string home = FromEnvironment("HOME");
  if (!home.empty()) return home + "/.local/state/atalaya/" + folder;
  return Fail(ErrorCode::kInvalid,
              "--spool: there is no home folder to keep it in; name a folder, or {}", kNoSpool);
}

}  // namespace

Result<AgentOptions> ParseAgent(int argc, const char* const* argv) {
  AgentOptions options;
  std::string procfs = "/proc", sysfs = "/sys", rootfs = "/";
  Flags flags("cloud_client agent",
              "Sends this machine's readings as packets on telemetry/ID/NAME.");
  options.link.AddTo(&flags);
  flags.Add("id,i", &options.id, "client id, and ID in the topics (default: the host name)");
  flags.Add("interval", &options.interval, "time between two readings (default 5s)");
  flags.Add("spool", &options.link.spool,
            "folder that keeps readings while the server is away, or \"none\" (default: one in "
            "$STATE_DIRECTORY or ~/.local/state/atalaya)");
  flags.Add("config", &options.config_file, "TOML file; read again on SIGHUP");
  flags.AddSwitch("check-config", &options.check_config, "check flags and file, and end");
  flags.Add("path.procfs", &procfs, "where proc is mounted");
  flags.Add("path.sysfs", &sysfs, "where sysfs is mounted");
  flags.Add("path.rootfs", &rootfs, "where the machine's root is mounted");
  if (Status parsed = flags.Parse(argc, argv); !parsed) return Forward(parsed.error());
  options.roots = {procfs, sysfs, rootfs};
  return options;
}

Result<AgentConfig> LoadAgentConfig(const AgentOptions& options) {
  AgentConfig config;
  config.id = HostName();
  config.roots = options.roots;
  LinkWords words = options.link;
  if (!options.config_file.empty()) {
    Result<ConfigFile> file = ConfigFile::Load(options.config_file);
    if (!file) return Forward(file.error());
    words.Read(file->Root());
    AgentFile(file->Root(), &config).Read();
    if (Status good = file->Finish(); !good) return Forward(good.error());
  }
  if (!options.id.empty()) config.id = options.id;
  if (Status good = CheckAgentId(config.id); !good) {
    return Fail(ErrorCode::kInvalid, "--id: {}", good.error().message);
  }
  if (words.spool.empty()) {
    Result<std::string> spool = DefaultSpool(config.id);
    if (!spool) return Forward(spool.error());
    words.spool = std::move(*spool);
  } else if (words.spool == kNoSpool) {
    words.spool.clear();
  }
  Result<Link> link = Understand(words);
  if (!link) return Forward(link.error());
  config.link = std::move(*link);
  if (!options.interval.empty()) {
    Result<std::chrono::milliseconds> interval = ParseDuration(options.interval);
    if (interval) interval = CheckInterval(*interval);
    if (!interval) return Fail(ErrorCode::kInvalid, "--interval: {}", interval.error().message);
    config.interval = *interval;
  }
  return config;
}

}  // namespace atalaya::cloud_client
