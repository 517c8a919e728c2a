#include <array>

#include "exporter/collector_table.h"
#include "exporter/device_folder.h"
#include "exporter/kernel_file.h"
#include "exporter/sample_sheet.h"

namespace atalaya::exporter {
namespace {

using telemetry::MetricType;

constexpr double kHertzPerKilohertz = 1000;

struct CpufreqFile {
  std::string_view file;
  FamilyInfo family;
};

constexpr std::array<CpufreqFile, 6> kCpufreqFiles = {{
    {"cpuinfo_cur_freq",
     {"node_cpu_frequency_hertz", MetricType::kGauge, "How fast a CPU runs, as it says."}},
    {"cpuinfo_max_freq",
     {"node_cpu_frequency_max_hertz", MetricType::kGauge, "How fast a CPU can run."}},
    {"cpuinfo_min_freq",
     {"node_cpu_frequency_min_hertz", MetricType::kGauge, "How slowly a CPU can run."}},
    {"scaling_cur_freq",
     {"node_cpu_scaling_frequency_hertz", MetricType::kGauge,
      "How fast a CPU runs, as the governor has it."}},
    {"scaling_max_freq",
     {"node_cpu_scaling_frequency_max_hertz", MetricType::kGauge,
      "The fastest that the governor may choose."}},
    {"scaling_min_freq",
     {"node_cpu_scaling_frequency_min_hertz", MetricType::kGauge,
      "The slowest that the governor may choose."}},
}};

class Cpufreq final : public Collector {
 public:
  explicit Cpufreq(const CollectorOptions& options)
      : folder_(options.sysfs / "devices/system/cpu") {}

  Status Collect(telemetry::TextWriter& out) override {
    for (const NumberedName& cpu : ListNumbered(folder_, "cpu")) {
      const telemetry::LabelText labels("cpu", std::to_string(cpu.number));
      for (const CpufreqFile& file : kCpufreqFiles) {
        const std::optional<double> value = ReadFigure(folder_ / cpu.name / "cpufreq" / file.file);
        if (value) sheet_.Add(file.family, labels.text(), *value * kHertzPerKilohertz);
      }
    }
    sheet_.Write(out);
    return {};
  }

 private:
  std::filesystem::path folder_;
  SampleSheet sheet_;
};

}  // namespace

CollectorResult CreateCpufreq(const CollectorOptions& options) {
  return std::make_unique<Cpufreq>(options);
}

}  // namespace atalaya::exporter
