#include "exporter/collector_table.h"
#include "exporter/device_folder.h"
#include "exporter/kernel_file.h"
#include "exporter/sample_sheet.h"

namespace atalaya::exporter {
namespace {

constexpr double kJoulesPerMicrojoule = 1e-6;

// "package-0" is zone "package" with index "0"; "core" has index "0" too.
struct RaplZone {
  std::string name;
  std::string index;
};

RaplZone ParseRaplZone(const std::string& text) {
  const std::size_t dash = text.rfind('-');
  if (dash == std::string::npos || !ParseNumber<unsigned>(std::string_view(text).substr(dash + 1)))
    return {text, "0"};
  return {text.substr(0, dash), text.substr(dash + 1)};
}

class Rapl final : public Collector {
 public:
  explicit Rapl(const CollectorOptions& options)
      : folder_(options.sysfs / "class/powercap"), zone_label_(options.rapl_zone_label) {}

  Status Collect(telemetry::TextWriter& out) override {
    const std::optional<std::vector<std::string>> entries = ListFolder(folder_);
    if (!entries) return Fail(ErrorCode::kNotFound, "{}: no such folder", folder_.string());
    std::map<std::string, unsigned> seen;
    for (const std::string& entry : *entries) {
      if (entry.starts_with("intel-rapl:")) ReadZone(folder_ / entry, seen);
    }
    sheet_.Write(out);
    return {};
  }

 private:
  void ReadZone(const std::filesystem::path& folder, std::map<std::string, unsigned>& seen) {
    const std::optional<std::string> text = ReadTrimmed(folder / "name");
    const std::optional<double> energy = ReadFigure(folder / "energy_uj");  // For root only.
    if (!text) return;
    RaplZone zone = ParseRaplZone(*text);
    // Zones of one name without a number of their own are numbered as they come.
    if (zone.name == *text) zone.index = std::to_string(seen[zone.name]++);
    if (!energy) return;
    telemetry::LabelText labels("index", zone.index);
    labels.Add("path", folder.string());
    std::string metric = "node_rapl_" + CleanMetric(zone.name) + "_joules_total";
    if (zone_label_) {
      labels.Add("rapl_zone", zone.name);
      metric = "node_rapl_joules_total";
    }
    sheet_.Add({metric, telemetry::MetricType::kCounter, "Energy that a part of the CPU used."},
               labels.text(), *energy * kJoulesPerMicrojoule);
  }

  static std::string CleanMetric(std::string name) {
    for (char& c : name) {
      const bool fits = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
      if (!fits) c = '_';
    }
    return name;
  }

  std::filesystem::path folder_;
  bool zone_label_;
  SampleSheet sheet_;
};

}  // namespace

CollectorResult CreateRapl(const CollectorOptions& options) {
  return std::make_unique<Rapl>(options);
}

}  // namespace atalaya::exporter
