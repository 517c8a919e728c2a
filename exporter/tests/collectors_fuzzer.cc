// Feeds made-up content of procfs, sysfs and textfiles to the collectors that read them. An input's
// first line names the file
// ("proc/mdstat"), the rest is its content. Whatever it is, the page that comes out has to read
// back.

#include <unistd.h>

#include <array>
#include <cstdint>
#include <fstream>
#include <unordered_set>

#include "base/check.h"
#include "exporter/collector.h"
#include "exporter/kernel_file.h"
#include "telemetry/text_reader.h"

namespace atalaya::exporter {
namespace {

struct FuzzedFile {
  std::string_view path;
  std::string_view collector;
};

constexpr std::array<FuzzedFile, 38> kFuzzedFiles = {{
    {"proc/net/arp", "arp"},
    {"proc/net/stat/nf_conntrack", "conntrack"},
    {"proc/stat", "cpu"},
    {"proc/stat", "stat"},
    {"proc/cpuinfo", "cpu"},
    {"proc/diskstats", "diskstats"},
    {"udev/b8:0", "diskstats"},
    {"proc/1/mounts", "filesystem"},
    {"proc/interrupts", "interrupts"},
    {"proc/net/ip_vs", "ipvs"},
    {"proc/net/ip_vs_stats", "ipvs"},
    {"proc/loadavg", "loadavg"},
    {"proc/mdstat", "mdadm"},
    {"proc/meminfo", "meminfo"},
    {"proc/net/dev", "netdev"},
    {"proc/net/netstat", "netstat"},
    {"proc/net/snmp", "netstat"},
    {"proc/net/snmp6", "netstat"},
    {"proc/net/rpc/nfs", "nfs"},
    {"proc/net/rpc/nfsd", "nfsd"},
    {"root/etc/os-release", "os"},
    {"proc/pressure/io", "pressure"},
    {"proc/7/stat", "processes"},
    {"proc/schedstat", "schedstat"},
    {"proc/net/sockstat", "sockstat"},
    {"proc/net/softnet_stat", "softnet"},
    {"proc/net/udp", "udp_queues"},
    {"proc/vmstat", "vmstat"},
    {"proc/spl/kstat/zfs/arcstats", "zfs"},
    {"proc/spl/kstat/zfs/pool1/io", "zfs"},
    {"proc/spl/kstat/zfs/pool1/objset-1", "zfs"},
    {"sys/fs/xfs/sda1/stats/stats", "xfs"},
    {"sys/fs/bcache/a-b/bdev0/writeback_rate_debug", "bcache"},
    {"sys/class/net/bonding_masters", "bonding"},
    {"sys/class/net/eth0/speed", "netclass"},
    {"sys/class/infiniband/mlx4_0/ports/1/rate", "infiniband"},
    {"sys/devices/system/cpu/isolated", "cpu"},
    {"textfile/a.prom", "textfile"},
}};

std::filesystem::path FuzzTree() {
  return fmt::format("/dev/shm/atalaya-collectors-fuzz-{}", getpid());
}

// A series that stood twice on a page would make all of it invalid.
void CheckNoSeriesTwice(std::string_view page) {
  std::unordered_set<std::string_view> seen;
  while (!page.empty()) {
    const std::string_view line = TakeLine(page);
    if (line.starts_with('#')) continue;
    ATALAYA_CHECK(seen.insert(line.substr(0, line.rfind(' '))).second);
  }
}

void RunOn(const FuzzedFile& file, std::string_view content) {
  const std::filesystem::path path = FuzzTree() / file.path;
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path) << content;
  CollectorOptions options;
  options.procfs = FuzzTree() / "proc";
  options.sysfs = FuzzTree() / "sys";
  options.rootfs = FuzzTree() / "root";
  options.udev_data = FuzzTree() / "udev";
  options.textfile_directory = FuzzTree() / "textfile";
  options.cpu_info = options.stat_softirq = true;
  options.cpu_flags_include = ".*";
  for (const CollectorInfo& info : AllCollectors()) {
    if (info.name != file.collector) continue;
    Result<std::unique_ptr<Collector>> collector = info.create(options);
    ATALAYA_CHECK(collector.has_value());
    telemetry::TextWriter out(telemetry::TextFormat::kPrometheus);
    static_cast<void>((*collector)->Collect(out));
    const auto page = telemetry::ReadTextPage(out.text(), {});
    ATALAYA_CHECK(page.has_value());
    CheckNoSeriesTwice(out.text());
  }
  std::filesystem::remove_all(FuzzTree());
}

}  // namespace
}  // namespace atalaya::exporter

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view content(reinterpret_cast<const char*>(data), size);
  const std::string_view path = atalaya::exporter::TakeLine(content);
  for (const auto& file : atalaya::exporter::kFuzzedFiles) {
    if (file.path == path) atalaya::exporter::RunOn(file, content);
  }
  return 0;
}
