#include "exporter/options.h"

#include <array>
#include <map>
#include <variant>

#include "base/config.h"
#include "base/flags.h"

namespace atalaya::exporter {
namespace {

constexpr char kDefaultListen[] = "127.0.0.1:9100";
constexpr char kDefaultStatsFile[] = "/dev/shm/atalaya-cloud_server.stats";

// What is set by flags and file, before it is looked at.
struct Typed {
  std::vector<std::string> listen;
  std::vector<std::string> stats_files;
  std::string telemetry_path = "/metrics";
  std::string procfs = "/proc";
  std::string sysfs = "/sys";
  std::string rootfs = "/";
  std::string udev_data = "/run/udev/data";
  std::string log_level = "info";
  bool disable_defaults = false;
  bool no_exporter_metrics = false;
  std::string without_effect;
  bool without_effect_too = false;
  std::map<std::string, bool> in_file;  // By collector: [collector.NAME] enabled = ...
  CollectorOptions collectors;
};

// One setting: the flag --NAME and, in the file, the key of the same name.
struct Setting {
  std::string name;
  std::variant<std::string*, std::vector<std::string>*, bool*> value;
  std::string help;
};

std::vector<Setting> GeneralSettings(Typed& typed) {
  return {
      {"web.listen-address", &typed.listen,
       fmt::format("HOST:PORT to serve on; repeatable (default {})", kDefaultListen)},
      {"web.telemetry-path", &typed.telemetry_path, "path of the page of metrics"},
      {"web.disable-exporter-metrics", &typed.no_exporter_metrics,
       "leave out the figures about the exporter itself"},
      {"cloud-server.stats-file", &typed.stats_files,
       fmt::format("stats segment of a cloud_server; repeatable (default {})", kDefaultStatsFile)},
      {"path.procfs", &typed.procfs, "where procfs is mounted"},
      {"path.sysfs", &typed.sysfs, "where sysfs is mounted"},
      {"path.rootfs", &typed.rootfs, "where the root file system is mounted"},
      {"path.udev.data", &typed.udev_data, "where udev keeps its database"},
      {"log-level", &typed.log_level, "debug, info, warning or error"},
      {"log.level", &typed.log_level, "the same, as node_exporter calls it"},
  };
}

std::vector<Setting> CollectorSettings(CollectorOptions& to) {
  return {
      {"collector.arp.device-include", &to.arp_devices.include, "pattern of devices to show"},
      {"collector.arp.device-exclude", &to.arp_devices.exclude, "pattern of devices to leave out"},
      {"collector.bcache.priorityStats", &to.bcache_priority_stats,
       "read priority statistics, too, which is slow"},
      {"collector.cpu.guest", &to.cpu_guest, "show the time that guests ran"},
      {"collector.cpu.info", &to.cpu_info, "show make and model of each CPU"},
      {"collector.cpu.info.flags-include", &to.cpu_flags_include,
       "pattern of CPU abilities to show"},
      {"collector.cpu.info.bugs-include", &to.cpu_bugs_include, "pattern of CPU faults to show"},
      {"collector.diskstats.device-include", &to.disks.include, "pattern of disks to show"},
      {"collector.diskstats.device-exclude", &to.disks.exclude, "pattern of disks to leave out"},
      {"collector.filesystem.mount-points-exclude", &to.mount_points_exclude,
       "pattern of mount points to leave out"},
      {"collector.filesystem.fs-types-exclude", &to.fs_types_exclude,
       "pattern of file system types to leave out"},
      {"collector.ipvs.backend-labels", &to.ipvs_backend_labels,
       "labels of the figures of real servers"},
      {"collector.netclass.ignored-devices", &to.netclass_ignored,
       "pattern of network devices to leave out"},
      {"collector.netclass.ignore-invalid-speed", &to.netclass_ignore_invalid_speed,
       "leave out speeds below 0"},
      {"collector.netdev.device-include", &to.netdevs.include, "pattern of devices to show"},
      {"collector.netdev.device-exclude", &to.netdevs.exclude, "pattern of devices to leave out"},
      {"collector.netdev.address-info", &to.netdev_address_info, "show addresses of devices"},
      {"collector.netstat.fields", &to.netstat_fields, "pattern of fields to show"},
      {"collector.powersupply.ignored-supplies", &to.power_supply_ignored,
       "pattern of power supplies to leave out"},
      {"collector.rapl.enable-zone-label", &to.rapl_zone_label,
       "put the zone into a label instead of the name"},
      {"collector.stat.softirq", &to.stat_softirq, "show soft interrupts by kind"},
      {"collector.tapestats.ignored-devices", &to.tape_ignored, "pattern of tapes to leave out"},
      {"collector.textfile.directory", &to.textfile_directory,
       "folder, or pattern of folders, with files to show"},
      {"collector.vmstat.fields", &to.vmstat_fields, "pattern of fields to show"},
  };
}

// What unit files written for node_exporter may have: older names, and what has no effect here,
// where one scrape is made at a time and the log has one format.
std::vector<Setting> PeersSettings(Typed& typed) {
  CollectorOptions& to = typed.collectors;
  return {
      {"collector.diskstats.ignored-devices", &to.disks.exclude, "older name of device-exclude"},
      {"collector.filesystem.ignored-mount-points", &to.mount_points_exclude,
       "older name of mount-points-exclude"},
      {"collector.filesystem.ignored-fs-types", &to.fs_types_exclude,
       "older name of fs-types-exclude"},
      {"collector.netdev.device-whitelist", &to.netdevs.include, "older name of device-include"},
      {"collector.netdev.device-blacklist", &to.netdevs.exclude, "older name of device-exclude"},
      {"collector.netclass.netlink", &typed.without_effect_too, "taken, and without effect"},
      {"collector.netdev.netlink", &typed.without_effect_too, "taken, and without effect"},
      {"log.format", &typed.without_effect, "taken, and without effect"},
      {"runtime.gomaxprocs", &typed.without_effect, "taken, and without effect"},
      {"web.max-requests", &typed.without_effect, "taken, and without effect"},
  };
}

// Collectors that only node_exporter has; to turn one off is no error.
constexpr std::array<std::string_view, 21> kPeersCollectors = {
    "buddyinfo", "cgroups",      "drbd",        "drm",           "ethtool", "ksmd", "lnstat",
    "logind",    "meminfo_numa", "mountstats",  "network_route", "ntp",     "perf", "qdisc",
    "runit",     "slabinfo",     "supervisord", "sysctl",        "systemd", "wifi", "zoneinfo"};

std::vector<Setting> AllSettings(Typed& typed) {
  std::vector<Setting> settings = GeneralSettings(typed);
  for (auto& more : {CollectorSettings(typed.collectors), PeersSettings(typed)})
    settings.insert(settings.end(), more.begin(), more.end());
  settings.push_back({"collector.disable-defaults", &typed.disable_defaults,
                      "run only the collectors that are asked for"});
  return settings;
}

// "collector.cpu.info.flags-include" is the key `info-flags-include` of [collector.cpu];
// "log-level" stands at the top.
struct ConfigKey {
  std::string table;
  std::string key;
};

ConfigKey KeyOf(std::string_view name) {
  std::size_t dot = name.find('.');
  if (dot == std::string_view::npos) return {"", std::string(name)};
  if (name.starts_with("collector.")) {
    const std::size_t second = name.find('.', dot + 1);
    if (second != std::string_view::npos) dot = second;
  }
  std::string key(name.substr(dot + 1));
  for (char& c : key) {
    if (c == '.') c = '-';
  }
  return {std::string(name.substr(0, dot)), std::move(key)};
}

// The tables of the file, each asked for once.
class ConfigTables {
 public:
  explicit ConfigTables(ConfigTable root) { tables_.emplace("", std::move(root)); }

  ConfigTable& At(const std::string& name) {
    const auto known = tables_.find(name);
    if (known != tables_.end()) return known->second;
    const std::size_t dot = name.rfind('.');
    const bool nested = dot != std::string::npos;
    ConfigTable& parent = At(nested ? name.substr(0, dot) : "");
    return tables_.emplace(name, parent.Table(nested ? name.substr(dot + 1) : name)).first->second;
  }

 private:
  std::map<std::string, ConfigTable> tables_;
};

void ReadSetting(ConfigTables& tables, const Setting& setting) {
  const ConfigKey at = KeyOf(setting.name);
  ConfigTable& table = tables.At(at.table);
  if (!table.Has(at.key)) return;
  if (auto* const* text = std::get_if<std::string*>(&setting.value)) {
    **text = table.String(at.key, **text);
  } else if (auto* const* flag = std::get_if<bool*>(&setting.value)) {
    **flag = table.Bool(at.key, **flag);
  } else {
    *std::get<std::vector<std::string>*>(setting.value) = table.Strings(at.key);
  }
}

Status ReadConfig(const std::string& path, Typed& typed) {
  Result<ConfigFile> file = ConfigFile::Load(path);
  if (!file) return Forward(file.error());
  ConfigTables tables(file->Root());
  for (const Setting& setting : AllSettings(typed)) ReadSetting(tables, setting);
  for (const CollectorInfo& info : AllCollectors()) {
    ConfigTable& table = tables.At("collector." + std::string(info.name));
    if (table.Has("enabled")) typed.in_file[std::string(info.name)] = table.Bool("enabled", true);
  }
  return file->Finish();
}

// What the flags say beyond the settings.
struct Switches {
  std::string config_file;
  bool check_config = false;
  std::map<std::string, bool> on;   // --collector.NAME
  std::map<std::string, bool> off;  // --no-collector.NAME
  std::map<std::string, bool> no;   // --no-SETTING
};

Status ParseFlags(int argc, const char* const* argv, Typed& typed, Switches& switches) {
  Flags flags("cloud_exporter",
              "Serves the figures of this machine and of cloud_server to Prometheus.");
  flags.Add("config.file", &switches.config_file, "TOML file with the same settings as the flags");
  flags.AddSwitch("check-config", &switches.check_config, "check flags and file, and end");
  std::vector<Setting> settings = AllSettings(typed);
  std::map<std::string, bool> on;
  for (const Setting& setting : settings) {
    if (auto* const* text = std::get_if<std::string*>(&setting.value)) {
      flags.Add(setting.name, *text, setting.help);
    } else if (auto* const* list = std::get_if<std::vector<std::string>*>(&setting.value)) {
      flags.Add(setting.name, *list, setting.help);
    } else {
      flags.AddSwitch(setting.name, &on[setting.name], setting.help);
      flags.AddSwitch("no-" + setting.name, &switches.no[setting.name], "not that");
    }
  }
  for (const CollectorInfo& info : AllCollectors()) {
    const std::string name(info.name);
    flags.AddSwitch("collector." + name, &switches.on[name],
                    fmt::format("run it: {}", info.summary));
    flags.AddSwitch("no-collector." + name, &switches.off[name], "do not run it");
  }
  for (const std::string_view name : kPeersCollectors) {
    flags.AddSwitch("no-collector." + std::string(name), &switches.off[std::string(name)],
                    "it is not here");
  }
  if (Status parsed = flags.Parse(argc, argv); !parsed) return parsed;
  for (const Setting& setting : settings) {
    if (auto* const* flag = std::get_if<bool*>(&setting.value)) {
      if (on[setting.name]) **flag = true;
      if (switches.no[setting.name]) **flag = false;
    }
  }
  return {};
}

Status CheckPath(const std::string& path) {
  if (path.starts_with('/') && path.size() > 1 && path.find_first_of(" ?#%\"<>&") == path.npos)
    return {};
  return Fail(ErrorCode::kInvalid,
              "--web.telemetry-path: \"{}\" is not a path below / (write /metrics)", path);
}

std::vector<std::string> ChosenCollectors(const Typed& typed, Switches& switches) {
  std::vector<std::string> names;
  for (const CollectorInfo& info : AllCollectors()) {
    const std::string name(info.name);
    bool chosen = info.enabled_by_default && !typed.disable_defaults;
    if (const auto asked = typed.in_file.find(name); asked != typed.in_file.end())
      chosen = asked->second;
    if (switches.on[name]) chosen = true;
    if (switches.off[name]) chosen = false;
    if (chosen) names.push_back(name);
  }
  return names;
}

Result<std::vector<HostPort>> ParseListen(std::vector<std::string> texts) {
  if (texts.empty()) texts = {kDefaultListen};
  std::vector<HostPort> addresses;
  for (std::string& text : texts) {
    if (text.starts_with(':')) text.insert(0, "0.0.0.0");  // As node_exporter's users write it.
    Result<HostPort> address = ParseHostPort(text);
    if (!address)
      return Fail(ErrorCode::kInvalid, "--web.listen-address: {}", address.error().message);
    addresses.push_back(std::move(*address));
  }
  return addresses;
}

}  // namespace

Result<Options> ParseOptions(int argc, const char* const* argv) {
  Typed typed;
  Switches switches;
  if (Status parsed = ParseFlags(argc, argv, typed, switches); !parsed)
    return Forward(parsed.error());
  if (!switches.config_file.empty()) {
    // Once more, on top of what the file says.
    typed = Typed();
    if (Status read = ReadConfig(switches.config_file, typed); !read) return Forward(read.error());
    switches = Switches();
    if (Status parsed = ParseFlags(argc, argv, typed, switches); !parsed)
      return Forward(parsed.error());
  }
  Result<std::vector<HostPort>> listen = ParseListen(typed.listen);
  if (!listen) return Forward(listen.error());
  if (Status good = CheckPath(typed.telemetry_path); !good) return Forward(good.error());
  if (typed.log_level == "warn") typed.log_level = "warning";  // As node_exporter's users write it.
  const Result<LogLevel> level = ParseLogLevel(typed.log_level);
  if (!level) return Fail(ErrorCode::kInvalid, "--log-level: {}", level.error().message);

  Options options;
  options.listen = std::move(*listen);
  options.telemetry_path = typed.telemetry_path;
  options.exporter_metrics = !typed.no_exporter_metrics;
  options.log_level = *level;
  options.check_config = switches.check_config;
  options.collectors = ChosenCollectors(typed, switches);
  if (typed.stats_files.empty()) typed.stats_files = {kDefaultStatsFile};
  options.collector_options = std::move(typed.collectors);
  CollectorOptions& collectors = options.collector_options;
  collectors.procfs = typed.procfs;
  collectors.sysfs = typed.sysfs;
  collectors.rootfs = typed.rootfs;
  collectors.udev_data = typed.udev_data;
  collectors.stats_files.assign(typed.stats_files.begin(), typed.stats_files.end());
  return options;
}

}  // namespace atalaya::exporter
