#include <array>
#include <cmath>

#include "exporter/collector_table.h"
#include "exporter/device_folder.h"
#include "exporter/kernel_file.h"
#include "exporter/sample_sheet.h"

namespace atalaya::exporter {
namespace {

namespace fs = std::filesystem;
using telemetry::LabelText;
using telemetry::MetricType;

constexpr std::string_view kBcacheUnits = "kMGTPEZY";
constexpr double kBcacheFraction = 10.24;  // What stands after the point is in 1/1024, not 1/1000.

// "1.5k", "-2M", "12": as bcache writes sizes for people.
std::optional<double> ParseBcacheSize(std::string_view text) {
  const bool negative = text.starts_with('-');
  if (negative) text.remove_prefix(1);
  if (text.empty()) return std::nullopt;
  double scale = 1;
  const std::size_t unit = kBcacheUnits.find(text.back());
  if (unit != std::string_view::npos) {
    scale = std::exp2(10.0 * static_cast<double>(unit + 1));
    text.remove_suffix(1);
  }
  const std::size_t point = unit == std::string_view::npos ? text.npos : text.find('.');
  const std::optional<double> whole = ParseValue<double>(text.substr(0, point));
  if (!whole) return std::nullopt;
  double value = *whole;
  if (point != std::string_view::npos) {
    const std::optional<double> part = ParseValue<double>(text.substr(point + 1));
    if (!part) return std::nullopt;
    value += *part / kBcacheFraction;
  }
  value = std::trunc(value * scale);
  return negative ? -value : value;
}

struct BcacheFile {
  std::string_view file;
  FamilyInfo family;
  double scale = 1;
};

constexpr std::array<BcacheFile, 10> kBcacheSetFiles = {{
    {"average_key_size",
     {"node_bcache_average_key_size_sectors", MetricType::kGauge, "Data per key of the B-tree."}},
    {"btree_cache_size",
     {"node_bcache_btree_cache_size_bytes", MetricType::kGauge, "Memory of the B-tree's cache."}},
    {"cache_available_percent",
     {"node_bcache_cache_available_percent", MetricType::kGauge,
      "Share of the cache device without dirty data."}},
    {"congested",
     {"node_bcache_congested", MetricType::kGauge, "How congested the cache device is."}},
    {"root_usage_percent",
     {"node_bcache_root_usage_percent", MetricType::kGauge,
      "Share of the B-tree's root node that is in use."}},
    {"tree_depth", {"node_bcache_tree_depth", MetricType::kGauge, "Depth of the B-tree."}},
    {"internal/active_journal_entries",
     {"node_bcache_active_journal_entries", MetricType::kGauge,
      "Journal entries newer than the index."}},
    {"internal/btree_nodes",
     {"node_bcache_btree_nodes", MetricType::kGauge, "Nodes of the B-tree."}},
    {"internal/btree_read_average_duration_us",
     {"node_bcache_btree_read_average_duration_seconds", MetricType::kGauge,
      "How long reading a node of the B-tree takes on average."},
     1e-9},
    {"internal/cache_read_races",
     {"node_bcache_cache_read_races_total", MetricType::kCounter,
      "Reads whose bucket was reused meanwhile."}},
}};

constexpr std::array<BcacheFile, 7> kBcacheTotalFiles = {{
    {"bypassed",
     {"node_bcache_bypassed_bytes_total", MetricType::kCounter, "Bytes that went past the cache."}},
    {"cache_bypass_hits",
     {"node_bcache_cache_bypass_hits_total", MetricType::kCounter,
      "Hits of requests that were to go past the cache."}},
    {"cache_bypass_misses",
     {"node_bcache_cache_bypass_misses_total", MetricType::kCounter,
      "Misses of requests that were to go past the cache."}},
    {"cache_hits", {"node_bcache_cache_hits_total", MetricType::kCounter, "Hits of the cache."}},
    {"cache_miss_collisions",
     {"node_bcache_cache_miss_collisions_total", MetricType::kCounter,
      "Misses whose data a write had put there first."}},
    {"cache_misses",
     {"node_bcache_cache_misses_total", MetricType::kCounter, "Misses of the cache."}},
    {"cache_readaheads",
     {"node_bcache_cache_readaheads_total", MetricType::kCounter, "Reads ahead of need."}},
}};

constexpr std::array<BcacheFile, 3> kBcacheDeviceFiles = {{
    {"io_errors",
     {"node_bcache_io_errors", MetricType::kGauge, "Recent errors of a cache device."}},
    {"metadata_written",
     {"node_bcache_metadata_written_bytes_total", MetricType::kCounter,
      "Bytes written to a cache device that are no data."}},
    {"written",
     {"node_bcache_written_bytes_total", MetricType::kCounter,
      "Bytes of data written to a cache device."}},
}};

// Lines of writeback_rate_debug: "rate: 1.1M/sec".
constexpr std::array<BcacheFile, 5> kBcacheWritebackLines = {{
    {"target:",
     {"node_bcache_dirty_target_bytes", MetricType::kGauge, "How much dirty data is aimed at."}},
    {"rate:", {"node_bcache_writeback_rate", MetricType::kGauge, "Rate of writing back, in B/s."}},
    {"proportional:",
     {"node_bcache_writeback_rate_proportional_term", MetricType::kGauge,
      "Proportional part of the rate of writing back."}},
    {"integral:",
     {"node_bcache_writeback_rate_integral_term", MetricType::kGauge,
      "Integral part of the rate of writing back."}},
    {"change:",
     {"node_bcache_writeback_change", MetricType::kGauge,
      "Last change of the rate of writing back."}},
}};

// Lines of priority_stats: "Unused: 99%".
constexpr std::array<BcacheFile, 2> kBcachePriorityLines = {{
    {"Unused:",
     {"node_bcache_priority_stats_unused_percent", MetricType::kGauge,
      "Share of a cache device that holds no data."}},
    {"Metadata:",
     {"node_bcache_priority_stats_metadata_percent", MetricType::kGauge,
      "Share of a cache device that holds metadata."}},
}};

constexpr FamilyInfo kBcacheDirty = {"node_bcache_dirty_data_bytes", MetricType::kGauge,
                                     "Dirty data of a backing device in the cache."};

class Bcache final : public Collector {
 public:
  explicit Bcache(const CollectorOptions& options)
      : folder_(options.sysfs / "fs/bcache"), priority_(options.bcache_priority_stats) {}

  Status Collect(telemetry::TextWriter& out) override {
    for (const std::string& uuid : ListFolder(folder_).value_or(std::vector<std::string>())) {
      if (uuid.find('-') != std::string::npos) ReadSet(uuid);
    }
    sheet_.Write(out);
    return {};
  }

 private:
  void ReadSet(const std::string& uuid) {
    const fs::path set = folder_ / uuid;
    const std::string labels(LabelText("uuid", uuid).text());
    for (const BcacheFile& file : kBcacheSetFiles) ReadOne(set, file, labels);
    for (const NumberedName& device : ListNumbered(set, "bdev")) {
      const std::string with(LabelText("backing_device", device.name).Add("uuid", uuid).text());
      const fs::path folder = set / device.name;
      ReadOne(folder, {"dirty_data", kBcacheDirty}, with);
      ReadLines(folder / "writeback_rate_debug", kBcacheWritebackLines, with);
      for (const BcacheFile& file : kBcacheTotalFiles) ReadOne(folder / "stats_total", file, with);
    }
    for (const NumberedName& device : ListNumbered(set, "cache")) {
      const std::string with(LabelText("cache_device", device.name).Add("uuid", uuid).text());
      const fs::path folder = set / device.name;
      for (const BcacheFile& file : kBcacheDeviceFiles) ReadOne(folder, file, with);
      if (priority_) ReadLines(folder / "priority_stats", kBcachePriorityLines, with);
    }
  }

  // A file that a version of bcache lacks counts as 0, as node_exporter has it.
  void ReadOne(const fs::path& folder, const BcacheFile& file, const std::string& labels) {
    const std::optional<std::string> text = ReadTrimmed(folder / file.file);
    const std::optional<double> value = text ? ParseBcacheSize(*text) : 0;
    if (value) sheet_.Add(file.family, labels, *value * file.scale);
  }

  template <std::size_t N>
  void ReadLines(const fs::path& path, const std::array<BcacheFile, N>& lines,
                 const std::string& labels) {
    const std::optional<std::string> content = ReadTrimmed(path);
    std::string_view rest = content ? std::string_view(*content) : std::string_view();
    while (!rest.empty()) {
      std::string_view line = TakeLine(rest);
      const std::string_view key = TakeWord(line);
      std::string_view word = TrimSpace(line);
      for (const std::string_view end : {"/sec", "%"}) {
        if (word.ends_with(end)) word.remove_suffix(end.size());
      }
      for (const BcacheFile& known : lines) {
        const std::optional<double> value =
            known.file == key ? ParseBcacheSize(word) : std::nullopt;
        if (value) sheet_.Add(known.family, labels, *value);
      }
    }
  }

  fs::path folder_;
  bool priority_;
  SampleSheet sheet_;
};

}  // namespace

CollectorResult CreateBcache(const CollectorOptions& options) {
  return std::make_unique<Bcache>(options);
}

}  // namespace atalaya::exporter
