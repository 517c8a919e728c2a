#include "cloud_server/config.h"

#include <algorithm>

#include "base/config.h"
#include "base/flags.h"

namespace atalaya::cloud_server {
namespace {

constexpr std::int64_t kMaxCount = 1'000'000'000;
constexpr std::int64_t kMaxInFlight = 65'534;
constexpr std::int64_t kMaxAliases = 65'535;
constexpr std::uint64_t kMaxPacketLimit = mqtt::kMaxPacketBytes;
constexpr std::uint64_t kMinPacketLimit = 1024;
constexpr std::uint64_t kMinMemory = 1u << 20;
constexpr std::uint64_t kMaxMemory = std::uint64_t{1} << 40;
constexpr std::chrono::seconds kLongestMemoryWait{60};

std::uint64_t Count(ConfigTable* table, std::string_view key, std::uint64_t default_value,
                    std::int64_t min = 1, std::int64_t max = kMaxCount) {
  const std::int64_t value =
      table->Integer(key, static_cast<std::int64_t>(default_value), min, max);
  return static_cast<std::uint64_t>(value);
}

OverflowPolicy ReadOverflow(ConfigTable* table) {
  const std::string name = table->String("overflow", "drop-oldest");
  if (name == "drop-oldest") return OverflowPolicy::kDropOldest;
  if (name == "drop-newest") return OverflowPolicy::kDropNewest;
  if (name == "disconnect") return OverflowPolicy::kDisconnect;
  table->Fault("overflow", "must be \"drop-oldest\", \"drop-newest\" or \"disconnect\"");
  return OverflowPolicy::kDropOldest;
}

void ReadRates(ConfigTable* table, Limits* limits) {
  limits->address_connections = Count(table, "address_connections", limits->address_connections, 0);
  limits->address_connect_rate =
      Count(table, "address_connect_rate", limits->address_connect_rate, 0);
  limits->client_publish_rate = Count(table, "client_publish_rate", limits->client_publish_rate, 0);
  limits->client_publish_bytes = table->Size("client_publish_bytes", limits->client_publish_bytes);
  limits->memory_bytes = table->Size("memory_bytes", limits->memory_bytes);
  if (limits->memory_bytes < kMinMemory || limits->memory_bytes > kMaxMemory) {
    table->Fault("memory_bytes", "must be 1MiB to 1TiB");
  }
  limits->memory_wait = table->Duration("memory_wait", limits->memory_wait);
  if (limits->memory_wait < std::chrono::milliseconds(0) ||
      limits->memory_wait > kLongestMemoryWait) {
    table->Fault("memory_wait", "must be 0s to 60s");
  }
}

Limits ReadLimits(ConfigTable table) {
  Limits limits;
  limits.max_connections = Count(&table, "max_connections", limits.max_connections);
  limits.max_packet_bytes = table.Size("max_packet_bytes", limits.max_packet_bytes);
  if (limits.max_packet_bytes < kMinPacketLimit || limits.max_packet_bytes > kMaxPacketLimit) {
    table.Fault("max_packet_bytes",
                fmt::format("must be {} to {} bytes", kMinPacketLimit, kMaxPacketLimit));
  }
  limits.session_queue_packets =
      Count(&table, "session_queue_packets", limits.session_queue_packets);
  limits.session_queue_bytes = table.Size("session_queue_bytes", limits.session_queue_bytes);
  limits.overflow = ReadOverflow(&table);
  limits.in_flight = Count(&table, "in_flight", limits.in_flight, 1, kMaxInFlight);
  limits.connection_output_bytes =
      table.Size("connection_output_bytes", limits.connection_output_bytes);
  limits.max_session_subscriptions =
      Count(&table, "max_session_subscriptions", limits.max_session_subscriptions);
  limits.max_sessions = Count(&table, "max_sessions", limits.max_sessions);
  limits.retained_messages = Count(&table, "retained_messages", limits.retained_messages, 0);
  limits.retained_bytes = table.Size("retained_bytes", limits.retained_bytes);
  limits.receive_maximum =
      Count(&table, "receive_maximum", limits.receive_maximum, 1, kNoReceiveMaximum);
  limits.topic_alias_maximum =
      Count(&table, "topic_alias_maximum", limits.topic_alias_maximum, 0, kMaxAliases);
  limits.max_keep_alive = table.Duration("max_keep_alive", limits.max_keep_alive);
  if (limits.max_keep_alive < std::chrono::seconds(1) ||
      limits.max_keep_alive > std::chrono::seconds(kLongestKeepAliveS)) {
    table.Fault("max_keep_alive", "must be 1s to 65535s");
  }
  limits.max_session_expiry = table.Duration("max_session_expiry", limits.max_session_expiry);
  if (limits.max_session_expiry < std::chrono::milliseconds(0) ||
      limits.max_session_expiry > std::chrono::seconds(kNeverExpires - 1) ||
      limits.max_session_expiry.count() % 1000 != 0) {
    table.Fault("max_session_expiry", "must be whole seconds, at most 4294967294s, or 0 for ever");
  }
  limits.sys_interval = table.Duration("sys_interval", limits.sys_interval);
  if (limits.sys_interval < std::chrono::milliseconds(0)) {
    table.Fault("sys_interval", "must be 0 for none, or longer");
  }
  limits.connect_timeout = table.Duration("connect_timeout", limits.connect_timeout);
  if (limits.connect_timeout <= std::chrono::milliseconds(0)) {
    table.Fault("connect_timeout", "must be longer than 0 (write 10s)");
  }
  ReadRates(&table, &limits);
  return limits;
}

// Whether the files of secrets that the configuration names can be used.
Status CheckSecrets(const FileConfig& file) {
  const AccessConfig& access = file.access;
  if (!access.password_file.empty()) {
    const Result<PasswordFile> passwords = PasswordFile::Load(access.password_file);
    if (!passwords) {
      return Fail(passwords.error().code, "{}: {}", access.password_place,
                  passwords.error().message);
    }
  }
  if (file.admin.token_file.empty()) return {};
  const Result<std::string> token = LoadAdminToken(file.admin, "");
  return token ? Status() : Forward(token.error());
}

}  // namespace

Result<Options> ParseOptions(int argc, const char* const* argv) {
  Options options;
  Flags flags("cloud_server", "Exchanges packets between clients over MQTT.");
  flags.Add("listen", &options.listen,
            "HOST:PORT of this machine to accept clients on over plain TCP; repeatable (default "
            "127.0.0.1:1883; more with [[listener]] in the file)");
  flags.Add("data-dir", &options.data_dir, "folder that belongs to this server alone");
  flags.Add("durability", &options.durability,
            "disk: what is acknowledged outlives a crash and a power failure; memory: it does not");
  flags.Add("name", &options.name, "this server's name in metrics");
  flags.Add("stats-file", &options.stats_file,
            "where cloud_exporter reads this server's figures "
            "(default /dev/shm/atalaya-NAME.stats)");
  flags.Add("config", &options.config_file,
            "TOML file with listeners, limits and access rules; read again on SIGHUP");
  flags.AddSwitch("check-config", &options.check_config, "check flags and file, and end");
  flags.Add("log-level", &options.log_level, "debug, info, warning or error");
  if (Status parsed = flags.Parse(argc, argv); !parsed) return Forward(parsed.error());
  return options;
}

Result<FileConfig> LoadFileConfig(const std::string& path) {
  FileConfig config;
  if (path.empty()) return config;
  Result<ConfigFile> file = ConfigFile::Load(path);
  if (!file) return Forward(file.error());
  ConfigTable root = file->Root();
  config.limits = ReadLimits(root.Table("limits"));
  config.access = AccessConfig::Read(&root);
  config.admin = AdminConfig::Read(&root);
  config.listeners = ReadListeners(root);
  if (Status good = file->Finish(); !good) return Forward(good.error());
  return config;
}

Result<Config> LoadConfig(const Options& options) {
  Config config;
  for (const std::string& text : options.listen) {
    Result<HostPort> address = ParseHostPort(text);
    if (!address) return Fail(ErrorCode::kInvalid, "--listen: {}", address.error().message);
    config.listen.push_back({.address = *address, .place = "--listen"});
  }
  Result<LogLevel> level = ParseLogLevel(options.log_level);
  if (!level) return Fail(ErrorCode::kInvalid, "--log-level: {}", level.error().message);
  config.log_level = *level;
  if (options.data_dir.empty()) return Fail(ErrorCode::kInvalid, "--data-dir: must name a folder");
  config.data_dir = options.data_dir;
  if (options.durability != "disk" && options.durability != "memory") {
    return Fail(ErrorCode::kInvalid, "--durability: \"{}\" is neither disk nor memory",
                options.durability);
  }
  config.keeps_on_disk = options.durability == "disk";
  config.name = options.name;
  config.stats_file = options.stats_file.empty()
                          ? fmt::format("/dev/shm/atalaya-{}.stats", options.name)
                          : options.stats_file;
  config.config_file = options.config_file;
  Result<FileConfig> file = LoadFileConfig(options.config_file);
  if (!file) return Forward(file.error());
  config.file = std::move(*file);
  if (Status secrets = CheckSecrets(config.file); !secrets) return Forward(secrets.error());
  if (config.listen.empty() && config.file.listeners.empty()) {
    config.listen.push_back({.address = {"127.0.0.1", 1883}, .place = "--listen"});
  }
  const Result<std::vector<ListenerConfig>> all = AllListeners(config.listen, config.file);
  if (!all) return Forward(all.error());
  return config;
}

Result<std::vector<ListenerConfig>> AllListeners(const std::vector<ListenerConfig>& listen,
                                                 const FileConfig& file) {
  std::vector<ListenerConfig> all = listen;
  all.insert(all.end(), file.listeners.begin(), file.listeners.end());
  if (all.size() > kMaxListeners) {
    return Fail(ErrorCode::kLimit, "{} listeners; there may be {}", all.size(), kMaxListeners);
  }
  for (auto listener = all.begin(); listener != all.end(); ++listener) {
    if (Status may = CheckListener(*listener, file.access); !may) return Forward(may.error());
    const HostPort& address = listener->address;
    const bool twice = address.port != 0 &&
                       std::any_of(all.begin(), listener,
                                   [&](const auto& other) { return other.address == address; });
    if (twice) {
      return Fail(ErrorCode::kInvalid, "{}: {} stands there twice", listener->place,
                  address.ToString());
    }
  }
  return all;
}

}  // namespace atalaya::cloud_server
