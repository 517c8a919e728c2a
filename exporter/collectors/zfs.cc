#include <array>
#include <cctype>

#include "exporter/collector_table.h"
#include "exporter/device_folder.h"
#include "exporter/kernel_file.h"
#include "exporter/sample_sheet.h"

namespace atalaya::exporter {
namespace {

namespace fs = std::filesystem;
using telemetry::LabelText;
using telemetry::MetricType;

struct ZfsFile {
  std::string_view file;
  std::string_view prefix;  // Of its metrics.
};

constexpr std::array<ZfsFile, 11> kZfsFiles = {{{"abdstats", "node_zfs_abd_"},
                                                {"arcstats", "node_zfs_arc_"},
                                                {"dbufstats", "node_zfs_dbuf_"},
                                                {"dmu_tx", "node_zfs_dmu_tx_"},
                                                {"dnodestats", "node_zfs_dnode_"},
                                                {"fm", "node_zfs_fm_"},
                                                {"vdev_cache_stats", "node_zfs_vdev_cache_"},
                                                {"vdev_mirror_stats", "node_zfs_vdev_mirror_"},
                                                {"xuio_stats", "node_zfs_xuio_"},
                                                {"zfetchstats", "node_zfs_zfetch_"},
                                                {"zil", "node_zfs_zil_"}}};
constexpr std::array<std::string_view, 7> kZfsStates = {
    "degraded", "faulted", "offline", "online", "removed", "suspended", "unavail"};
constexpr FamilyInfo kZfsState = {"node_zfs_zpool_state", MetricType::kGauge,
                                  "1 for the state a pool is in, 0 for the others."};
constexpr std::string_view kZfsUnsigned = "4";  // KSTAT_DATA_UINT64.
constexpr std::string_view kZfsString = "7";    // KSTAT_DATA_STRING.

class Zfs final : public Collector {
 public:
  explicit Zfs(const CollectorOptions& options) : folder_(options.procfs / "spl/kstat/zfs") {}

  Status Collect(telemetry::TextWriter& out) override {
    const std::optional<std::vector<std::string>> entries = ListFolder(folder_);
    if (!entries) return Fail(ErrorCode::kNotFound, "{}: no such folder", folder_.string());
    for (const ZfsFile& file : kZfsFiles) {
      const std::optional<std::string> content = ReadTrimmed(folder_ / file.file);
      if (content) ReadRows(*content, file.prefix, "");
    }
    for (const std::string& pool : *entries) ReadPool(pool);
    sheet_.Write(out);
    return {};
  }

 private:
  // "name type data" heads the rows of every kstat of named figures.
  void ReadRows(std::string_view content, std::string_view prefix, std::string_view pool) {
    bool begun = false;
    std::string labels(pool.empty() ? "" : LabelText("zpool", pool).text());
    while (!content.empty()) {
      std::string_view line = TakeLine(content);
      const std::string_view name = TakeWord(line);
      const std::string_view type = TakeWord(line);
      const std::string_view data = TakeWord(line);
      if (name == "name" && type == "type" && data == "data") {
        begun = true;
      } else if (begun && type == kZfsString && name == "dataset_name") {
        labels = LabelText("dataset", data).Add("zpool", pool).text();
      } else if (begun && type == kZfsUnsigned) {
        Add(prefix, name, labels, ParseValue<std::uint64_t>(data));
      }
    }
  }

  void Add(std::string_view prefix, std::string_view name, std::string_view labels,
           std::optional<std::uint64_t> value) {
    if (!value) return;
    metric_.assign(prefix);
    for (const char c : name) metric_ += std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '_';
    help_.assign("The figure ").append(metric_, prefix.size()).append(" that ZFS keeps.");
    sheet_.Add({metric_, MetricType::kUntyped, help_}, labels, static_cast<double>(*value));
  }

  void ReadPool(const std::string& pool) {
    const fs::path folder = folder_ / pool;
    const std::optional<std::vector<std::string>> files = ListFolder(folder);
    if (!files) return;  // Not a folder.
    for (const std::string& file : *files) {
      const std::optional<std::string> content = ReadTrimmed(folder / file);
      if (!content) continue;
      if (file == "io") {
        ReadIo(*content, LabelText("zpool", pool).text());
      } else if (file == "state") {
        ReadState(*content, pool);
      } else if (file.starts_with("objset-")) {
        ReadRows(*content, "node_zfs_zpool_dataset_", pool);
      }
    }
  }

  // A line of names that begins with "nread", and one of numbers.
  void ReadIo(std::string_view content, std::string_view labels) {
    while (!content.empty()) {
      std::string_view names = TakeLine(content);
      if (!TrimSpace(names).starts_with("nread")) continue;
      std::string_view values = TakeLine(content);
      for (std::string_view name = TakeWord(names); !name.empty(); name = TakeWord(names))
        Add("node_zfs_zpool_", name, labels, ParseValue<std::uint64_t>(TakeWord(values)));
    }
  }

  void ReadState(std::string_view content, const std::string& pool) {
    const std::string now = CleanName(content);
    for (const std::string_view state : kZfsStates) {
      sheet_.Add(kZfsState, LabelText("state", state).Add("zpool", pool).text(),
                 now == state ? 1 : 0);
    }
  }

  fs::path folder_;
  SampleSheet sheet_;
  std::string metric_;
  std::string help_;
};

}  // namespace

CollectorResult CreateZfs(const CollectorOptions& options) {
  return std::make_unique<Zfs>(options);
}

}  // namespace atalaya::exporter
