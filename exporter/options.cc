#include "exporter/options.h"

#include <map>

#include "base/flags.h"

namespace atalaya::exporter {
namespace {

constexpr char kDefaultListen[] = "127.0.0.1:9100";
constexpr char kDefaultStatsFile[] = "/dev/shm/atalaya-cloud_server.stats";

// The flags as they are typed, before they are looked at.
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
  std::map<std::string, bool> on;   // By collector: --collector.NAME
  std::map<std::string, bool> off;  // --no-collector.NAME
};

void AddFlags(Flags& flags, Typed& typed, CollectorOptions& collectors) {
  flags.Add("web.listen-address", &typed.listen,
            fmt::format("HOST:PORT to serve on; repeatable (default {})", kDefaultListen));
  flags.Add("web.telemetry-path", &typed.telemetry_path, "path of the page of metrics");
  flags.Add(
      "cloud-server.stats-file", &typed.stats_files,
      fmt::format("stats segment of a cloud_server; repeatable (default {})", kDefaultStatsFile));
  flags.Add("path.procfs", &typed.procfs, "where procfs is mounted");
  flags.Add("path.sysfs", &typed.sysfs, "where sysfs is mounted");
  flags.Add("path.rootfs", &typed.rootfs, "where the root file system is mounted");
  flags.Add("path.udev.data", &typed.udev_data, "where udev keeps its database");
  flags.Add("collector.filesystem.mount-points-exclude", &collectors.mount_points_exclude,
            "pattern of mount points to leave out");
  flags.Add("collector.filesystem.fs-types-exclude", &collectors.fs_types_exclude,
            "pattern of file system types to leave out");
  flags.Add("collector.diskstats.device-exclude", &collectors.disk_exclude,
            "pattern of disks to leave out");
  flags.Add("collector.netdev.device-exclude", &collectors.netdev_exclude,
            "pattern of network devices to leave out");
  flags.AddSwitch("collector.disable-defaults", &typed.disable_defaults,
                  "run only the collectors that are asked for");
  for (const CollectorInfo& info : AllCollectors()) {
    const std::string name(info.name);
    flags.AddSwitch("collector." + name, &typed.on[name], fmt::format("run it: {}", info.summary));
    flags.AddSwitch("no-collector." + name, &typed.off[name], "do not run it");
  }
  flags.Add("log-level", &typed.log_level, "debug, info, warning or error");
}

Status CheckPath(const std::string& path) {
  if (path.starts_with('/') && path.size() > 1 && path.find_first_of(" ?#%") == std::string::npos)
    return {};
  return Fail(ErrorCode::kInvalid,
              "--web.telemetry-path: \"{}\" is not a path below / (write /metrics)", path);
}

std::vector<std::string> ChosenCollectors(Typed& typed) {
  std::vector<std::string> names;
  for (const CollectorInfo& info : AllCollectors()) {
    const std::string name(info.name);
    const bool by_default = info.enabled_by_default && !typed.disable_defaults;
    if ((by_default || typed.on[name]) && !typed.off[name]) names.push_back(name);
  }
  return names;
}

}  // namespace

Result<Options> ParseOptions(int argc, const char* const* argv) {
  Options options;
  Typed typed;
  Flags flags("cloud_exporter",
              "Serves the figures of this machine and of cloud_server to Prometheus.");
  AddFlags(flags, typed, options.collector_options);
  if (Status parsed = flags.Parse(argc, argv); !parsed) return Forward(parsed.error());

  if (typed.listen.empty()) typed.listen = {kDefaultListen};
  for (const std::string& text : typed.listen) {
    Result<HostPort> address = ParseHostPort(text);
    if (!address) {
      return Fail(ErrorCode::kInvalid, "--web.listen-address: {}", address.error().message);
    }
    options.listen.push_back(std::move(*address));
  }
  if (Status good = CheckPath(typed.telemetry_path); !good) return Forward(good.error());
  const Result<LogLevel> level = ParseLogLevel(typed.log_level);
  if (!level) return Fail(ErrorCode::kInvalid, "--log-level: {}", level.error().message);

  options.telemetry_path = typed.telemetry_path;
  options.log_level = *level;
  options.collectors = ChosenCollectors(typed);
  if (typed.stats_files.empty()) typed.stats_files = {kDefaultStatsFile};
  CollectorOptions& collectors = options.collector_options;
  collectors.procfs = typed.procfs;
  collectors.sysfs = typed.sysfs;
  collectors.rootfs = typed.rootfs;
  collectors.udev_data = typed.udev_data;
  collectors.stats_files.assign(typed.stats_files.begin(), typed.stats_files.end());
  return options;
}

}  // namespace atalaya::exporter
