#include <array>

#include "exporter/collector_table.h"
#include "exporter/kernel_file.h"

namespace atalaya::exporter {
namespace {

using telemetry::MetricType;
using telemetry::TextWriter;

struct Figure {
  std::string_view key;  // First word of a line of /proc/stat; the second is the value.
  std::string_view metric;
  MetricType type;
  std::string_view help;
};

constexpr std::array<Figure, 6> kFigures = {{
    {"btime", "node_boot_time_seconds", MetricType::kGauge,
     "When the machine was booted, in seconds since 1970."},
    {"ctxt", "node_context_switches_total", MetricType::kCounter, "Context switches."},
    {"processes", "node_forks_total", MetricType::kCounter, "Processes and threads started."},
    {"intr", "node_intr_total", MetricType::kCounter, "Interrupts served."},
    {"procs_blocked", "node_procs_blocked", MetricType::kGauge,
     "Processes that wait for a disk or the like."},
    {"procs_running", "node_procs_running", MetricType::kGauge, "Processes that run or could run."},
}};

class Stat final : public Collector {
 public:
  explicit Stat(const CollectorOptions& options) : stat_(options.procfs / "stat") {}

  Status Collect(TextWriter& out) override {
    Result<std::string_view> content = stat_.Read();
    if (!content) return Forward(content.error());
    std::array<std::optional<std::uint64_t>, kFigures.size()> values;
    while (!content->empty()) {
      std::string_view line = TakeLine(*content);
      const std::string_view key = TakeWord(line);
      for (std::size_t i = 0; i < kFigures.size(); ++i) {
        if (key == kFigures[i].key) values[i] = ParseNumber<std::uint64_t>(TakeWord(line));
      }
    }
    for (std::size_t i = 0; i < kFigures.size(); ++i) {
      if (!values[i]) continue;
      out.Family(kFigures[i].metric, kFigures[i].type, kFigures[i].help);
      out.Sample("", *values[i]);
    }
    return {};
  }

 private:
  KernelFile stat_;
};

}  // namespace

CollectorResult CreateStat(const CollectorOptions& options) {
  return std::make_unique<Stat>(options);
}

}  // namespace atalaya::exporter
