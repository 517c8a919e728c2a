#include "exporter/collector_table.h"
#include "exporter/device_folder.h"
#include "exporter/kernel_file.h"

namespace atalaya::exporter {
namespace {

using telemetry::MetricType;

class Selinux final : public Collector {
 public:
  explicit Selinux(const CollectorOptions& options)
      : folder_(options.sysfs / "fs/selinux"), config_(options.rootfs / "etc/selinux/config") {}

  Status Collect(telemetry::TextWriter& out) override {
    const std::optional<double> mode = ReadFigure(folder_ / "enforce");
    out.Family("node_selinux_enabled", MetricType::kGauge, "Whether SELinux is on.");
    out.Sample("", mode ? 1 : 0);
    if (!mode) return {};
    out.Family("node_selinux_config_mode", MetricType::kGauge,
               "The mode that the configuration asks for: -1 off, 0 permissive, 1 enforcing.");
    out.Sample("", ConfiguredMode());
    out.Family("node_selinux_current_mode", MetricType::kGauge,
               "The mode now: 0 permissive, 1 enforcing.");
    out.Sample("", *mode);
    return {};
  }

 private:
  int ConfiguredMode() const {
    const std::string content = ReadTrimmed(config_).value_or("");
    std::string_view rest = content;
    while (!rest.empty()) {
      const std::string_view line = TrimSpace(TakeLine(rest));
      if (line == "SELINUX=enforcing") return 1;
      if (line == "SELINUX=permissive") return 0;
    }
    return -1;
  }

  std::filesystem::path folder_;
  std::filesystem::path config_;
};

}  // namespace

CollectorResult CreateSelinux(const CollectorOptions& options) {
  return std::make_unique<Selinux>(options);
}

}  // namespace atalaya::exporter
