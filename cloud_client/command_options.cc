#include <limits.h>
#include <unistd.h>

#include "base/config.h"
#include "base/duration.h"
#include "base/file.h"
#include "base/flags.h"
#include "cloud_client/commands.h"
#include "mqtt/topic.h"

namespace atalaya::cloud_client {
namespace {

constexpr std::string_view kScheme = "mqtt://";
constexpr std::uint16_t kMqttPort = 1883;
constexpr const char* kDefaultServer = "mqtt://127.0.0.1:1883";

std::string HostName() {
  char name[HOST_NAME_MAX + 1] = "";
  if (gethostname(name, sizeof name - 1) != 0 || name[0] == '\0') return "localhost";
  return name;
}

// What --server, --id and --qos have in common in pub and sub.
struct CommonFlags {
  std::string server = kDefaultServer;
  std::string id;
  std::int64_t qos = 0;

  void AddTo(Flags* flags) {
    flags->Add("server", &server, "mqtt://HOST:PORT of the server");
    flags->Add("id", &id, "client id (default: made of command, host name and process id)");
    flags->Add("qos", &qos, "0 (at most once) or 1 (at least once)");
  }

  Status Take(const std::string& command, HostPort* address, std::string* client_id, Qos* level) {
    Result<HostPort> parsed = ParseServer(server);
    if (!parsed) return Fail(ErrorCode::kInvalid, "--server: {}", parsed.error().message);
    if (qos != 0 && qos != 1) {
      return Fail(ErrorCode::kInvalid, "--qos: {} is not spoken (write 0 or 1)", qos);
    }
    *address = *parsed;
    *client_id = id.empty() ? fmt::format("{}-{}-{}", command, HostName(), getpid()) : id;
    *level = static_cast<Qos>(qos);
    return {};
  }
};

Result<std::chrono::milliseconds> CheckInterval(std::chrono::milliseconds interval) {
  if (interval >= kMinReadingInterval && interval <= kMaxReadingInterval) return interval;
  return Fail(ErrorCode::kInvalid, "{} is out of range ({} to {})", FormatDuration(interval),
              FormatDuration(kMinReadingInterval), FormatDuration(kMaxReadingInterval));
}

Status CheckAgentId(const std::string& id) {
  if (!mqtt::IsValidTopicName(id) || !mqtt::IsValidUtf8(id) || id.find('/') != std::string::npos) {
    return Fail(
        ErrorCode::kInvalid,
        "\"{}\" cannot be a level of the topic telemetry/ID (write UTF-8 without /, + and #)", id);
  }
  return {};
}

void ReadIntervals(ConfigTable table, const MachineRoots& roots, AgentConfig* config) {
  for (const ReadingKind& kind : MachineReadings(roots)) {
    if (!table.Has(kind.name)) continue;
    const auto interval = CheckInterval(table.Duration(kind.name, config->interval));
    if (!interval) {
      table.Fault(kind.name, interval.error().message);
    } else {
      config->intervals[kind.name] = *interval;
    }
  }
}

Status ReadAgentFile(const std::string& path, AgentConfig* config) {
  Result<ConfigFile> file = ConfigFile::Load(path);
  if (!file) return Forward(file.error());
  ConfigTable root = file->Root();
  if (root.Has("server")) {
    const Result<HostPort> server = ParseServer(root.String("server", kDefaultServer));
    if (server) config->server = *server;
    if (!server) root.Fault("server", server.error().message);
  }
  if (root.Has("id")) {
    config->id = root.String("id");
    if (Status good = CheckAgentId(config->id); !good) root.Fault("id", good.error().message);
  }
  const auto interval = CheckInterval(root.Duration("interval", config->interval));
  if (interval) config->interval = *interval;
  if (!interval) root.Fault("interval", interval.error().message);
  ReadIntervals(root.Table("intervals"), config->roots, config);
  return file->Finish();
}

}  // namespace

Result<HostPort> ParseServer(std::string_view text) {
  const auto invalid = [&] {
    return Fail(ErrorCode::kInvalid, "\"{}\" is not a server (write {})", text, kDefaultServer);
  };
  if (!text.starts_with(kScheme)) return invalid();
  std::string address(text.substr(kScheme.size()));
  if (address.ends_with('/')) address.pop_back();
  const std::size_t host_end = address.find(']') == std::string::npos ? 0 : address.find(']');
  if (address.find(':', host_end) == std::string::npos) address += fmt::format(":{}", kMqttPort);
  Result<HostPort> parsed = ParseHostPort(address);
  if (!parsed || parsed->host.empty() || parsed->port == 0) return invalid();
  return parsed;
}

Result<PubOptions> ParsePub(int argc, const char* const* argv) {
  PubOptions options;
  CommonFlags common;
  std::string file;
  Flags flags("cloud_client pub",
              "Publishes packets; without --message and --file, a packet of each "
              "line of standard input.");
  flags.Add("topic", &options.topic, "topic to publish to");
  flags.Add("message", &options.messages, "payload of a packet; repeatable");
  flags.Add("file", &file, "file that is the payload of one packet");
  flags.AddSwitch("retain", &options.retain, "have the server keep the last packet of the topic");
  common.AddTo(&flags);
  if (Status parsed = flags.Parse(argc, argv); !parsed) return Forward(parsed.error());
  if (Status good = common.Take("pub", &options.server, &options.id, &options.qos); !good) {
    return Forward(good.error());
  }
  if (!mqtt::IsValidTopicName(options.topic) || !mqtt::IsValidUtf8(options.topic)) {
    return Fail(ErrorCode::kInvalid,
                "--topic: \"{}\" is not a topic to publish to (write a/b/c: no + and no #)",
                options.topic);
  }
  if (!file.empty() && !options.messages.empty()) {
    return Fail(ErrorCode::kInvalid, "--message and --file exclude each other");
  }
  if (!file.empty()) {
    Result<std::string> content = ReadFile(file, kMaxPublishBytes);
    if (!content) return Fail(content.error().code, "--file: {}", content.error().message);
    options.messages.push_back(std::move(*content));
  }
  options.from_stdin = options.messages.empty();
  return options;
}

Result<SubOptions> ParseSub(int argc, const char* const* argv) {
  SubOptions options;
  CommonFlags common;
  Flags flags("cloud_client sub", "Prints the payload of each packet that comes, a line each.");
  flags.Add("topic", &options.topics, "topic filter, with + and # as wildcards; repeatable");
  flags.Add("count", &options.count, "end after so many packets; 0: never");
  flags.AddSwitch("verbose", &options.verbose, "print \"TOPIC PAYLOAD\"");
  common.AddTo(&flags);
  if (Status parsed = flags.Parse(argc, argv); !parsed) return Forward(parsed.error());
  if (Status good = common.Take("sub", &options.server, &options.id, &options.qos); !good) {
    return Forward(good.error());
  }
  if (options.topics.empty())
    return Fail(ErrorCode::kInvalid, "--topic: needed (write a/+/c or #)");
  for (const std::string& topic : options.topics) {
    if (!mqtt::IsValidTopicFilter(topic) || !mqtt::IsValidUtf8(topic)) {
      return Fail(ErrorCode::kInvalid,
                  "--topic: \"{}\" is not a topic filter (+ and # only as a whole level, # only as "
                  "the last)",
                  topic);
    }
  }
  if (options.count < 0) {
    return Fail(ErrorCode::kInvalid, "--count: {} is less than 0", options.count);
  }
  return options;
}

Result<AgentOptions> ParseAgent(int argc, const char* const* argv) {
  AgentOptions options;
  std::string procfs = "/proc", sysfs = "/sys", rootfs = "/";
  Flags flags("cloud_client agent",
              "Sends this machine's readings as packets on telemetry/ID/NAME.");
  flags.Add("server", &options.server,
            fmt::format("mqtt://HOST:PORT of the server (default {})", kDefaultServer));
  flags.Add("id", &options.id, "client id, and ID in the topics (default: the host name)");
  flags.Add("interval", &options.interval, "time between two readings (default 5s)");
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
  config.server = *ParseServer(kDefaultServer);
  config.id = HostName();
  config.roots = options.roots;
  if (!options.config_file.empty()) {
    if (Status read = ReadAgentFile(options.config_file, &config); !read) {
      return Forward(read.error());
    }
  }
  if (!options.server.empty()) {
    const Result<HostPort> server = ParseServer(options.server);
    if (!server) return Fail(ErrorCode::kInvalid, "--server: {}", server.error().message);
    config.server = *server;
  }
  if (!options.id.empty()) config.id = options.id;
  if (Status good = CheckAgentId(config.id); !good) {
    return Fail(ErrorCode::kInvalid, "--id: {}", good.error().message);
  }
  if (!options.interval.empty()) {
    Result<std::chrono::milliseconds> interval = ParseDuration(options.interval);
    if (interval) interval = CheckInterval(*interval);
    if (!interval) return Fail(ErrorCode::kInvalid, "--interval: {}", interval.error().message);
    config.interval = *interval;
  }
  return config;
}

}  // namespace atalaya::cloud_client
