#include <array>

#include "exporter/collector_table.h"
#include "exporter/kernel_file.h"

namespace atalaya::exporter {
namespace {

using telemetry::MetricType;
using telemetry::TextWriter;

class Loadavg final : public Collector {
 public:
  explicit Loadavg(const CollectorOptions& options)
      : loadavg_(options.procfs / "loadavg", FileShape::kWhole) {}

  Status Collect(TextWriter& out) override {
    Result<std::string_view> content = loadavg_.Read();
    if (!content) return Forward(content.error());
    std::array<double, 3> loads{};
    for (double& load : loads) {
      const std::optional<double> value = ParseValue<double>(TakeWord(*content));
      if (!value)
        return Fail(ErrorCode::kInvalid, "{}: not three numbers", loadavg_.path().string());
      load = *value;
    }
    out.Family("node_load1", MetricType::kGauge, "Load average over one minute.");
    out.Sample("", loads[0]);
    out.Family("node_load15", MetricType::kGauge, "Load average over fifteen minutes.");
    out.Sample("", loads[2]);
    out.Family("node_load5", MetricType::kGauge, "Load average over five minutes.");
    out.Sample("", loads[1]);
    return {};
  }

 private:
  KernelFile loadavg_;
};

}  // namespace

CollectorResult CreateLoadavg(const CollectorOptions& options) {
  return std::make_unique<Loadavg>(options);
}

}  // namespace atalaya::exporter
