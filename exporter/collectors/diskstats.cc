#include <array>
#include <unordered_map>
#include <vector>

#include "base/file.h"
#include "exporter/collector_table.h"
#include "exporter/kernel_file.h"
#include "exporter/name_filter.h"
#include "telemetry/utf8.h"

namespace atalaya::exporter {
namespace {

using telemetry::LabelText;
using telemetry::MetricType;
using telemetry::TextWriter;

constexpr std::size_t kDiskColumns = 17;
constexpr double kBytesPerSector =
    512;  // Whatever the disk's own are: iostats of the kernel's docs.
constexpr double kSecondsPerMs = 0.001;

struct DiskColumn {
  std::string_view metric;
  MetricType type;
  double scale;
  std::string_view help;
};

// In the order of /proc/diskstats after the name. An old kernel ends after 11 or 15.
constexpr std::array<DiskColumn, kDiskColumns> kDiskColumnInfo = {{
    {"node_disk_reads_completed_total", MetricType::kCounter, 1, "Reads that ended."},
    {"node_disk_reads_merged_total", MetricType::kCounter, 1, "Reads joined with another."},
    {"node_disk_read_bytes_total", MetricType::kCounter, kBytesPerSector, "Bytes read."},
    {"node_disk_read_time_seconds_total", MetricType::kCounter, kSecondsPerMs,
     "Time that all reads took together."},
    {"node_disk_writes_completed_total", MetricType::kCounter, 1, "Writes that ended."},
    {"node_disk_writes_merged_total", MetricType::kCounter, 1, "Writes joined with another."},
    {"node_disk_written_bytes_total", MetricType::kCounter, kBytesPerSector, "Bytes written."},
    {"node_disk_write_time_seconds_total", MetricType::kCounter, kSecondsPerMs,
     "Time that all writes took together."},
    {"node_disk_io_now", MetricType::kGauge, 1, "Requests under way."},
    {"node_disk_io_time_seconds_total", MetricType::kCounter, kSecondsPerMs,
     "Time with at least one request under way."},
    {"node_disk_io_time_weighted_seconds_total", MetricType::kCounter, kSecondsPerMs,
     "Time of all requests together, waiting included."},
    {"node_disk_discards_completed_total", MetricType::kCounter, 1, "Discards that ended."},
    {"node_disk_discards_merged_total", MetricType::kCounter, 1, "Discards joined with another."},
    {"node_disk_discarded_sectors_total", MetricType::kCounter, 1, "Sectors discarded."},
    {"node_disk_discard_time_seconds_total", MetricType::kCounter, kSecondsPerMs,
     "Time that all discards took together."},
    {"node_disk_flush_requests_total", MetricType::kCounter, 1, "Flushes that ended."},
    {"node_disk_flush_requests_time_seconds_total", MetricType::kCounter, kSecondsPerMs,
     "Time that all flushes took together."},
}};

struct KnownDisk {
  bool excluded = false;
  bool listed = false;  // In this scrape. A broken file may say a disk twice: the first counts.
  std::string labels;
  std::string numbers;  // "254:0", by which udev's entry was found.
  std::string info_labels;
};

struct Disk {
  KnownDisk* known;
  std::size_t columns;  // How many of `values` the kernel gave.
  std::array<std::uint64_t, kDiskColumns> values;
};

class Diskstats final : public Collector {
 public:
  Diskstats(const CollectorOptions& options, NameChoice devices)
      : diskstats_(options.procfs / "diskstats"),
        udev_data_(options.udev_data),
        devices_(std::move(devices)) {}

  Status Collect(TextWriter& out) override {
    Result<std::string_view> content = diskstats_.Read();
    if (!content) return Forward(content.error());
    for (const Disk& disk : disks_) disk.known->listed = false;
    disks_.clear();
    while (!content->empty()) ReadLine(TakeLine(*content));
    out.Family("node_disk_info", MetricType::kGauge,
               "Numbers of a disk, and what udev knows of it.");
    for (const Disk& disk : disks_) out.Sample(disk.known->info_labels, 1);
    for (std::size_t column = 0; column < kDiskColumns; ++column) {
      const DiskColumn& info = kDiskColumnInfo[column];
      out.Family(info.metric, info.type, info.help);
      for (const Disk& disk : disks_) {
        if (column >= disk.columns) continue;
        out.Sample(disk.known->labels, static_cast<double>(disk.values[column]) * info.scale);
      }
    }
    return {};
  }

 private:
  void ReadLine(std::string_view line) {
    const std::string_view major = TakeWord(line);
    const std::string_view minor = TakeWord(line);
    const std::string_view name = TakeWord(line);
    if (name.empty()) return;
    KnownDisk& known = Lookup(name, major, minor);
    if (known.excluded || known.listed) return;
    Disk disk{&known, 0, {}};
    while (disk.columns < kDiskColumns) {
      const std::optional<std::uint64_t> value = ParseValue<std::uint64_t>(TakeWord(line));
      if (!value) break;
      disk.values[disk.columns++] = *value;
    }
    if (disk.columns == 0) return;
    known.listed = true;
    disks_.push_back(disk);
  }

  KnownDisk& Lookup(std::string_view name, std::string_view major, std::string_view minor) {
    scratch_ = name;
    KnownDisk& known = known_[scratch_];
    numbers_.assign(major).append(":").append(minor);
    if (known.numbers == numbers_) return known;
    known.numbers = numbers_;
    // Two names that are no UTF-8 could make one label.
    known.excluded = !telemetry::IsUtf8(name) || !devices_.Wants(name);
    if (known.excluded) return known;
    known.labels = LabelText("device", name).text();
    known.info_labels = InfoLabels(name, major, minor);
    return known;
  }

  // From udev's database: lines "E:ID_MODEL=...".
  std::string InfoLabels(std::string_view name, std::string_view major, std::string_view minor) {
    std::unordered_map<std::string_view, std::string_view> found;
    const std::string content = ReadFile(udev_data_ / ("b" + numbers_)).value_or("");
    std::string_view rest = content;
    while (!rest.empty()) {
      std::string_view line = TakeLine(rest);
      const std::size_t equals = line.find('=');
      if (!line.starts_with("E:") || equals == std::string_view::npos) continue;
      found[line.substr(2, equals - 2)] = line.substr(equals + 1);
    }
    const std::string_view serial = found.contains("SCSI_IDENT_SERIAL") ? found["SCSI_IDENT_SERIAL"]
                                    : found.contains("ID_SERIAL_SHORT") ? found["ID_SERIAL_SHORT"]
                                                                        : found["ID_SERIAL"];
    LabelText labels("device", name);
    labels.Add("major", major).Add("minor", minor).Add("model", found["ID_MODEL"]);
    labels.Add("path", found["ID_PATH"]).Add("revision", found["ID_REVISION"]);
    labels.Add("serial", serial).Add("wwn", found["ID_WWN"]);
    return std::string(labels.text());
  }

  KernelFile diskstats_;
  std::filesystem::path udev_data_;
  NameChoice devices_;
  std::string scratch_;
  std::string numbers_;
  std::unordered_map<std::string, KnownDisk> known_;  // By device; grows by each new name only.
  std::vector<Disk> disks_;
};

}  // namespace

CollectorResult CreateDiskstats(const CollectorOptions& options) {
  Result<NameChoice> devices = NameChoice::Create(options.disks, "collector.diskstats.device");
  if (!devices) return Forward(devices.error());
  return std::make_unique<Diskstats>(options, std::move(*devices));
}

}  // namespace atalaya::exporter
