#include <array>
#include <vector>

#include "exporter/collector_table.h"
#include "exporter/kernel_file.h"
#include "exporter/sample_sheet.h"
#include "exporter/units.h"

namespace atalaya::exporter {
namespace {

using telemetry::MetricType;

constexpr std::array<FamilyInfo, 3> kSchedstatFamilies = {{
    {"node_schedstat_running_seconds_total", MetricType::kCounter,
     "Time that a CPU spent running something."},
    {"node_schedstat_waiting_seconds_total", MetricType::kCounter,
     "Time that was spent waiting for a CPU."},
    {"node_schedstat_timeslices_total", MetricType::kCounter, "Time slices that a CPU ran."},
}};
constexpr int kSchedstatSkipped = 6;  // Columns before those three.

class Schedstat final : public Collector {
 public:
  explicit Schedstat(const CollectorOptions& options) : schedstat_(options.procfs / "schedstat") {}

  Status Collect(telemetry::TextWriter& out) override {
    Result<std::string_view> content = schedstat_.Read();
    if (!content) return Forward(content.error());
    rows_.clear();
    while (!content->empty()) ReadLine(TakeLine(*content));
    for (std::size_t i = 0; i < kSchedstatFamilies.size(); ++i) {
      const FamilyInfo& family = kSchedstatFamilies[i];
      out.Family(family.name, family.type, family.help);
      for (const Row& row : rows_) {
        if (i == 2) {
          out.Sample(row.labels, row.values[i]);
        } else {
          out.Sample(row.labels, static_cast<double>(row.values[i]) / kNsPerSecond);
        }
      }
    }
    return {};
  }

 private:
  struct Row {
    unsigned cpu;
    std::string labels;
    std::array<std::uint64_t, 3> values;
  };

  void ReadLine(std::string_view line) {
    const std::string_view name = TakeWord(line);
    if (!name.starts_with("cpu")) return;
    const auto cpu = ParseNumber<unsigned>(name.substr(3));
    // The kernel goes up; a broken file may say one twice.
    if (!cpu || (!rows_.empty() && *cpu <= rows_.back().cpu)) return;
    for (int i = 0; i < kSchedstatSkipped; ++i) TakeWord(line);
    Row row{*cpu, std::string(telemetry::LabelText("cpu", name.substr(3)).text()), {}};
    for (std::uint64_t& value : row.values) {
      const auto parsed = ParseValue<std::uint64_t>(TakeWord(line));
      if (!parsed) return;
      value = *parsed;
    }
    rows_.push_back(std::move(row));
  }

  KernelFile schedstat_;
  std::vector<Row> rows_;
};

}  // namespace

CollectorResult CreateSchedstat(const CollectorOptions& options) {
  return std::make_unique<Schedstat>(options);
}

}  // namespace atalaya::exporter
