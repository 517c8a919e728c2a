#include "exporter/collector_table.h"
#include "exporter/device_folder.h"
#include "exporter/kernel_file.h"

namespace atalaya::exporter {
namespace {

class Nvme final : public Collector {
 public:
  explicit Nvme(const CollectorOptions& options) : folder_(options.sysfs / "class/nvme") {}

  Status Collect(telemetry::TextWriter& out) override {
    const std::optional<std::vector<std::string>> devices = ListFolder(folder_);
    if (!devices) return Fail(ErrorCode::kNotFound, "{}: no such folder", folder_.string());
    out.Family("node_nvme_info", telemetry::MetricType::kGauge,
               "What an NVMe device says of itself.");
    for (const std::string& device : *devices) {
      telemetry::LabelText labels("device", device);
      const auto add = [&](std::string_view label, const char* file) {
        labels.Add(label, ReadTrimmed(folder_ / device / file).value_or(""));
      };
      add("firmware_revision", "firmware_rev");
      add("model", "model");
      add("serial", "serial");
      add("state", "state");
      out.Sample(labels.text(), 1);
    }
    return {};
  }

 private:
  std::filesystem::path folder_;
};

}  // namespace

CollectorResult CreateNvme(const CollectorOptions& options) {
  return std::make_unique<Nvme>(options);
}

}  // namespace atalaya::exporter
