#include <array>

#include "exporter/collector_table.h"
#include "exporter/kernel_file.h"

namespace atalaya::exporter {
namespace {

// Labels and files of /sys/class/dmi/id; only root may read the serial numbers.
constexpr std::array<std::pair<std::string_view, std::string_view>, 20> kDmiFiles = {{
    {"bios_date", "bios_date"},
    {"bios_release", "bios_release"},
    {"bios_vendor", "bios_vendor"},
    {"bios_version", "bios_version"},
    {"board_asset_tag", "board_asset_tag"},
    {"board_name", "board_name"},
    {"board_serial", "board_serial"},
    {"board_vendor", "board_vendor"},
    {"board_version", "board_version"},
    {"chassis_asset_tag", "chassis_asset_tag"},
    {"chassis_serial", "chassis_serial"},
    {"chassis_vendor", "chassis_vendor"},
    {"chassis_version", "chassis_version"},
    {"product_family", "product_family"},
    {"product_name", "product_name"},
    {"product_serial", "product_serial"},
    {"product_sku", "product_sku"},
    {"product_uuid", "product_uuid"},
    {"product_version", "product_version"},
    {"system_vendor", "sys_vendor"},
}};

// Read once: the firmware's tables stay as they are until the next boot.
class Dmi final : public Collector {
 public:
  explicit Dmi(const CollectorOptions& options) : folder_(options.sysfs / "class/dmi/id") {}

  Status Collect(telemetry::TextWriter& out) override {
    std::error_code error;
    if (labels_.text().empty()) {
      if (!std::filesystem::is_directory(folder_, error))
        return Fail(ErrorCode::kNotFound, "{}: no such folder", folder_.string());
      for (const auto& [label, file] : kDmiFiles) {
        const std::optional<std::string> text = ReadTrimmed(folder_ / file);
        if (text) labels_.Add(label, *text);
      }
    }
    out.Family("node_dmi_info", telemetry::MetricType::kGauge,
               "What the firmware's DMI tables say of the machine.");
    out.Sample(labels_.text(), 1);
    return {};
  }

 private:
  std::filesystem::path folder_;
  telemetry::LabelText labels_;
};

}  // namespace

CollectorResult CreateDmi(const CollectorOptions& options) {
  return std::make_unique<Dmi>(options);
}

}  // namespace atalaya::exporter
