#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "telemetry/text_writer.h"

namespace atalaya::exporter {

// What a collector may look at; tests put made-up trees here.
struct CollectorOptions {
  std::filesystem::path procfs = "/proc";
  std::filesystem::path sysfs = "/sys";
  std::filesystem::path rootfs = "/";
  std::filesystem::path udev_data = "/run/udev/data";
  const Clock* clock = &SystemClock();  // Must outlive the collector.

  // node_exporter's defaults.
  std::string mount_points_exclude =
      "^/(dev|proc|run/credentials/.+|sys|var/lib/docker/.+|var/lib/containers/storage/.+)($|/)";
  std::string fs_types_exclude =
      "^(autofs|binfmt_misc|bpf|cgroup2?|configfs|debugfs|devpts|devtmpfs|fusectl|hugetlbfs|iso9660"
      "|mqueue|nsfs|overlay|proc|procfs|pstore|rpc_pipefs|securityfs|selinuxfs|squashfs|sysfs"
      "|tracefs)$";
  std::string disk_exclude = "^(ram|loop|fd|(h|s|v|xv)d[a-z]|nvme\\d+n\\d+p)\\d+$";
  std::string netdev_exclude;

  std::vector<std::filesystem::path> stats_files;  // Of cloud_server.
};

// One source of figures. A figure that cannot be read is left out; the others are written.
// Threads: one at a time. Collect may block as long as the kernel does: a Gatherer keeps the
// deadline.
class Collector {
 public:
  virtual ~Collector() = default;

  // Writes whole families. An error says why there was nothing (or not all) to write.
  virtual Status Collect(telemetry::TextWriter& out) = 0;
};

// A collector as data, as the flags and the pages name it.
struct CollectorInfo {
  std::string_view name;  // "meminfo": --collector.meminfo
  std::string_view summary;
  bool enabled_by_default;
  // kInvalid on a bad pattern in the options; touches no file that could hang.
  Result<std::unique_ptr<Collector>> (*create)(const CollectorOptions&);
};

// Every collector there is, by name.
const std::vector<CollectorInfo>& AllCollectors();

}  // namespace atalaya::exporter
