#include <algorithm>
#include <vector>

#include "exporter/collector_table.h"
#include "exporter/kernel_file.h"

namespace atalaya::exporter {
namespace {

namespace fs = std::filesystem;
using telemetry::LabelText;
using telemetry::MetricType;
using telemetry::TextWriter;

struct Reading {
  std::string labels;
  double value;
};

class ThermalZone final : public Collector {
 public:
  explicit ThermalZone(const CollectorOptions& options)
      : folder_(options.sysfs / "class/thermal") {}

  Status Collect(TextWriter& out) override {
    std::vector<fs::path> entries;
    std::error_code error;
    for (fs::directory_iterator it(folder_, error), end; !error && it != end; it.increment(error))
      entries.push_back(it->path());
    std::sort(entries.begin(), entries.end());
    std::vector<Reading> current, maximum, temperatures;
    for (const fs::path& entry : entries) {
      const std::string name = entry.filename().string();
      if (name.starts_with(kZone)) {
        const std::string labels(LabelText("type", ReadTrimmed(entry / "type").value_or(""))
                                     .Add("zone", name.substr(kZone.size()))
                                     .text());
        Read(entry / "temp", labels, 0.001, temperatures);
      } else if (name.starts_with(kCooling)) {
        const std::string labels(LabelText("name", name.substr(kCooling.size()))
                                     .Add("type", ReadTrimmed(entry / "type").value_or(""))
                                     .text());
        Read(entry / "cur_state", labels, 1, current);
        Read(entry / "max_state", labels, 1, maximum);
      }
    }
    Write(out, "node_cooling_device_cur_state", "How hard a cooling device works.", current);
    Write(out, "node_cooling_device_max_state", "How hard a cooling device can work.", maximum);
    Write(out, "node_thermal_zone_temp", "Temperature of a zone in degrees Celsius.", temperatures);
    return {};
  }

 private:
  static constexpr std::string_view kZone = "thermal_zone";
  static constexpr std::string_view kCooling = "cooling_device";

  static void Read(const fs::path& file, const std::string& labels, double scale,
                   std::vector<Reading>& into) {
    const std::optional<std::string> text = ReadTrimmed(file);
    if (!text) return;
    if (const auto value = ParseValue<double>(*text)) into.push_back({labels, *value * scale});
  }

  static void Write(TextWriter& out, std::string_view metric, std::string_view help,
                    const std::vector<Reading>& readings) {
    out.Family(metric, MetricType::kGauge, help);
    for (const Reading& reading : readings) out.Sample(reading.labels, reading.value);
  }

  fs::path folder_;
};

}  // namespace

CollectorResult CreateThermalZone(const CollectorOptions& options) {
  return std::make_unique<ThermalZone>(options);
}

}  // namespace atalaya::exporter
