#include <ctime>

#include "exporter/collector_table.h"
#include "exporter/kernel_file.h"

namespace atalaya::exporter {
namespace {

using telemetry::LabelText;
using telemetry::MetricType;
using telemetry::TextWriter;

class Time final : public Collector {
 public:
  explicit Time(const CollectorOptions& options)
      : clock_(*options.clock),
        current_(options.sysfs / kClockSource / "current_clocksource", FileShape::kWhole),
        available_(options.sysfs / kClockSource / "available_clocksource", FileShape::kWhole) {
    tzset();
  }

  Status Collect(TextWriter& out) override {
    if (Result<std::string_view> content = available_.Read()) {
      std::string_view names = TrimSpace(*content);
      out.Family("node_time_clocksource_available_info", MetricType::kGauge,
                 "Clock sources that the kernel could use.");
      while (!names.empty()) out.Sample(LabelsOf(TakeWord(names)), 1);
    }
    if (const Result<std::string_view> content = current_.Read()) {
      out.Family("node_time_clocksource_current_info", MetricType::kGauge,
                 "Clock source that the kernel uses.");
      out.Sample(LabelsOf(TrimSpace(*content)), 1);
    }
    const std::int64_t now_ms = clock_.NowMs();
    out.Family("node_time_seconds", MetricType::kGauge, "The machine's clock, since 1970.");
    out.Sample("", static_cast<double>(now_ms) / 1000);
    const time_t now = static_cast<time_t>(now_ms / 1000);
    tm local{};
    localtime_r(&now, &local);
    out.Family("node_time_zone_offset_seconds", MetricType::kGauge,
               "How far local time is ahead of UTC.");
    out.Sample(LabelText("time_zone", local.tm_zone == nullptr ? "" : local.tm_zone).text(),
               local.tm_gmtoff);
    return {};
  }

 private:
  static constexpr char kClockSource[] = "devices/system/clocksource/clocksource0";

  std::string_view LabelsOf(std::string_view source) {
    labels_ = LabelText("clocksource", source).Add("device", "0");
    return labels_.text();
  }

  const Clock& clock_;
  KernelFile current_;
  KernelFile available_;
  LabelText labels_;
};

}  // namespace

CollectorResult CreateTime(const CollectorOptions& options) {
  return std::make_unique<Time>(options);
}

}  // namespace atalaya::exporter
