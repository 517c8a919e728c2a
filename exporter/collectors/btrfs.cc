#include "exporter/collector_table.h"
#include "exporter/device_folder.h"
#include "exporter/kernel_file.h"
#include "exporter/sample_sheet.h"

namespace atalaya::exporter {
namespace {

namespace fs = std::filesystem;
using telemetry::LabelText;
using telemetry::MetricType;

constexpr double kBtrfsSectorBytes = 512;

constexpr FamilyInfo kBtrfsInfo = {"node_btrfs_info", MetricType::kGauge,
                                   "The label of a Btrfs file system."};
constexpr FamilyInfo kBtrfsReserve = {"node_btrfs_global_rsv_size_bytes", MetricType::kGauge,
                                      "Size of the global reserve."};
constexpr FamilyInfo kBtrfsReserved = {"node_btrfs_reserved_bytes", MetricType::kGauge,
                                       "Space reserved for a kind of block group."};
constexpr FamilyInfo kBtrfsUsed = {"node_btrfs_used_bytes", MetricType::kGauge,
                                   "Space used, by kind of block group and layout."};
constexpr FamilyInfo kBtrfsSize = {"node_btrfs_size_bytes", MetricType::kGauge,
                                   "Space allocated, by kind of block group and layout."};
constexpr FamilyInfo kBtrfsRatio = {"node_btrfs_allocation_ratio", MetricType::kGauge,
                                    "Bytes on disk for each byte of a layout."};
constexpr FamilyInfo kBtrfsDevice = {"node_btrfs_device_size_bytes", MetricType::kGauge,
                                     "Size of a device of the file system."};

double BtrfsRatio(std::string_view layout, double devices) {
  if (layout == "single" || layout == "raid0") return 1;
  if (layout == "dup" || layout == "raid1" || layout == "raid10") return 2;
  if (layout == "raid5") return devices / (devices - 1);
  if (layout == "raid6") return devices / (devices - 2);
  return 0;
}

class Btrfs final : public Collector {
 public:
  explicit Btrfs(const CollectorOptions& options) : folder_(options.sysfs / "fs/btrfs") {}

  Status Collect(telemetry::TextWriter& out) override {
    for (const std::string& name : ListFolder(folder_).value_or(std::vector<std::string>())) {
      if (name.find('-') != std::string::npos) ReadFileSystem(folder_ / name);
    }
    sheet_.Write(out);
    return {};
  }

 private:
  void ReadFileSystem(const fs::path& folder) {
    const std::string uuid =
        ReadTrimmed(folder / "metadata_uuid").value_or(folder.filename().string());
    const std::string labels(LabelText("uuid", uuid).text());
    const std::string label = ReadTrimmed(folder / "label").value_or("");
    sheet_.Add(kBtrfsInfo, LabelText("label", label).Add("uuid", uuid).text(), 1);
    sheet_.Add(kBtrfsReserve, labels,
               ReadFigure(folder / "allocation/global_rsv_size").value_or(0));
    const std::vector<std::string> devices =
        ListFolder(folder / "devices").value_or(std::vector<std::string>());
    for (const char* kind : {"data", "metadata", "system"})
      ReadKind(folder / "allocation" / kind, kind, uuid, static_cast<double>(devices.size()));
    for (const std::string& device : devices) {
      const double sectors = ReadFigure(folder / "devices" / device / "size").value_or(0);
      sheet_.Add(kBtrfsDevice, LabelText("device", device).Add("uuid", uuid).text(),
                 sectors * kBtrfsSectorBytes);
    }
  }

  void ReadKind(const fs::path& folder, const char* kind, const std::string& uuid, double devices) {
    sheet_.Add(kBtrfsReserved, LabelText("block_group_type", kind).Add("uuid", uuid).text(),
               ReadFigure(folder / "bytes_reserved").value_or(0));
    for (const std::string& layout : ListFolder(folder).value_or(std::vector<std::string>())) {
      std::error_code error;
      if (!fs::is_directory(folder / layout, error)) continue;
      LabelText labels("block_group_type", kind);
      labels.Add("mode", layout).Add("uuid", uuid);
      sheet_.Add(kBtrfsUsed, labels.text(), ReadFigure(folder / layout / "used_bytes").value_or(0));
      sheet_.Add(kBtrfsSize, labels.text(),
                 ReadFigure(folder / layout / "total_bytes").value_or(0));
      sheet_.Add(kBtrfsRatio, labels.text(), BtrfsRatio(layout, devices));
    }
  }

  fs::path folder_;
  SampleSheet sheet_;
};

}  // namespace

CollectorResult CreateBtrfs(const CollectorOptions& options) {
  return std::make_unique<Btrfs>(options);
}

}  // namespace atalaya::exporter
