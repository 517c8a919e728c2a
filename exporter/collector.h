#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "exporter/name_filter.h"
#include "telemetry/text_writer.h"

namespace atalaya::exporter {

class ScrapeContext;

// What a collector may look at; tests put made-up trees here.
struct CollectorOptions {
  std::filesystem::path procfs = "/proc";
  std::filesystem::path sysfs = "/sys";
  std::filesystem::path rootfs = "/";
  std::filesystem::path udev_data = "/run/udev/data";
  const Clock* clock = &SystemClock();  // Must outlive the collector.

  // node_exporter's defaults; each is the flag --collector.NAME.
  NamePatterns arp_devices;            // arp.device-include, -exclude
  bool bcache_priority_stats = false;  // bcache.priorityStats
  bool cpu_guest = true;               // cpu.guest
  bool cpu_info = false;               // cpu.info
  std::string cpu_flags_include;       // cpu.info.flags-include
  std::string cpu_bugs_include;        // cpu.info.bugs-include
  NamePatterns disks{                  // diskstats.device-include, -exclude
                     "", "^(ram|loop|fd|(h|s|v|xv)d[a-z]|nvme\\d+n\\d+p)\\d+$"};
  std::string mount_points_exclude =  // filesystem.mount-points-exclude
      "^/(dev|proc|run/credentials/.+|sys|var/lib/docker/.+|var/lib/containers/storage/.+)($|/)";
  std::string fs_types_exclude =  // filesystem.fs-types-exclude
      "^(autofs|binfmt_misc|bpf|cgroup2?|configfs|debugfs|devpts|devtmpfs|fusectl|hugetlbfs|iso9660"
      "|mqueue|nsfs|overlay|proc|procfs|pstore|rpc_pipefs|securityfs|selinuxfs|squashfs|sysfs"
      "|tracefs)$";
  std::string ipvs_backend_labels =  // ipvs.backend-labels
      "local_address,local_port,remote_address,remote_port,proto,local_mark";
  std::string netclass_ignored = "^$";         // netclass.ignored-devices
  bool netclass_ignore_invalid_speed = false;  // netclass.ignore-invalid-speed
  NamePatterns netdevs;                        // netdev.device-include, -exclude
  bool netdev_address_info = false;            // netdev.address-info
  std::string netstat_fields =                 // netstat.fields
      "^(.*_(InErrors|InErrs)|Ip_Forwarding|Ip(6|Ext)_(InOctets|OutOctets)"
      "|Icmp6?_(InMsgs|OutMsgs)|TcpExt_(Listen.*|Syncookies.*|TCPSynRetrans|TCPTimeouts)"
      "|Tcp_(ActiveOpens|InSegs|OutSegs|OutRsts|PassiveOpens|RetransSegs|CurrEstab)"
      "|Udp6?_(InDatagrams|OutDatagrams|NoPorts|RcvbufErrors|SndbufErrors))$";
  std::string power_supply_ignored = "^$";                          // powersupply.ignored-supplies
  bool rapl_zone_label = false;                                     // rapl.enable-zone-label
  bool stat_softirq = false;                                        // stat.softirq
  std::string tape_ignored = "^$";                                  // tapestats.ignored-devices
  std::string textfile_directory;                                   // textfile.directory
  std::string vmstat_fields = "^(oom_kill|pgpg|pswp|pg.*fault).*";  // vmstat.fields

  std::vector<std::filesystem::path> stats_files;  // Of cloud_server.

  // What the collectors of one scrape share; without it each reads for itself, every time.
  std::shared_ptr<ScrapeContext> context;
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
  // What it measures comes and goes with devices and kernel modules, which the kernel announces:
  // where there is none, it need not look again before something changed.
  bool of_devices;
  // kInvalid on a bad pattern in the options; touches no file that could hang.
  Result<std::unique_ptr<Collector>> (*create)(const CollectorOptions&);
};

// Every collector there is, by name.
const std::vector<CollectorInfo>& AllCollectors();

}  // namespace atalaya::exporter
