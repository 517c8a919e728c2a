#include <array>

#include "exporter/collector_table.h"
#include "exporter/kernel_file.h"

namespace atalaya::exporter {
namespace {

using telemetry::MetricType;
using telemetry::TextWriter;

constexpr double kSecondsPerMicrosecond = 1e-6;
constexpr std::string_view kTotal = "total=";

// The lines "some" and "full" of a file of /proc/pressure; an empty name is left out.
struct Resource {
  std::string_view file;
  std::string_view some_metric;
  std::string_view some_help;
  std::string_view full_metric;
  std::string_view full_help;
};

constexpr std::array<Resource, 3> kResources = {{
    {"cpu", "node_pressure_cpu_waiting_seconds_total",
     "Time in which at least one process waited for a CPU.", "", ""},
    {"io", "node_pressure_io_waiting_seconds_total",
     "Time in which at least one process waited for a disk.",
     "node_pressure_io_stalled_seconds_total", "Time in which all processes waited for a disk."},
    {"memory", "node_pressure_memory_waiting_seconds_total",
     "Time in which at least one process waited for memory.",
     "node_pressure_memory_stalled_seconds_total",
     "Time in which all processes waited for memory."},
}};

class Pressure final : public Collector {
 public:
  explicit Pressure(const CollectorOptions& options) {
    for (const Resource& resource : kResources)
      files_.emplace_back(options.procfs / "pressure" / resource.file);
  }

  Status Collect(TextWriter& out) override {
    Status status;
    for (std::size_t i = 0; i < kResources.size(); ++i) {
      const Result<std::string_view> content = files_[i].Read();
      if (!content) {
        status = Forward(content.error());
        continue;
      }
      Write(out, "some", kResources[i].some_metric, kResources[i].some_help, *content);
      Write(out, "full", kResources[i].full_metric, kResources[i].full_help, *content);
    }
    return status;
  }

 private:
  static void Write(TextWriter& out, std::string_view which, std::string_view metric,
                    std::string_view help, std::string_view content) {
    while (!metric.empty() && !content.empty()) {
      std::string_view line = TakeLine(content);
      if (TakeWord(line) != which) continue;
      const std::size_t at = line.find(kTotal);
      if (at == std::string_view::npos) return;
      line.remove_prefix(at + kTotal.size());
      const std::optional<double> total = ParseValue<double>(TakeWord(line));
      if (!total) return;
      out.Family(metric, MetricType::kCounter, help);
      out.Sample("", *total * kSecondsPerMicrosecond);
      return;
    }
  }

  std::vector<KernelFile> files_;
};

}  // namespace

CollectorResult CreatePressure(const CollectorOptions& options) {
  return std::make_unique<Pressure>(options);
}

}  // namespace atalaya::exporter
