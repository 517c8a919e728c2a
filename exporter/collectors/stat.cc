#include <array>

#include "exporter/collector_table.h"
#include "exporter/kernel_file.h"
#include "exporter/scrape_context.h"

namespace atalaya::exporter {
namespace {

using telemetry::MetricType;
using telemetry::TextWriter;

struct StatFigure {
  std::string_view key;  // First word of a line of /proc/stat; the second is the value.
  std::string_view metric;
  MetricType type;
  std::string_view help;
};

constexpr std::array<StatFigure, 6> kStatFigures = {{
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
  explicit Stat(const CollectorOptions& options)
      : context_(ContextOf(options)), softirq_(options.stat_softirq) {}

  Status Collect(TextWriter& out) override {
    const Result<std::shared_ptr<const std::string>> read = context_->Stat();
    if (!read) return Forward(read.error());
    std::string_view content = **read;
    std::string_view softirqs;
    std::array<std::optional<std::uint64_t>, kStatFigures.size()> values;
    while (!content.empty()) {
      std::string_view line = TakeLine(content);
      const std::string_view key = TakeWord(line);
      if (key == "softirq") softirqs = line;
      for (std::size_t i = 0; i < kStatFigures.size(); ++i) {
        if (key == kStatFigures[i].key) values[i] = ParseValue<std::uint64_t>(TakeWord(line));
      }
    }
    for (std::size_t i = 0; i < kStatFigures.size(); ++i) {
      if (!values[i]) continue;
      out.Family(kStatFigures[i].metric, kStatFigures[i].type, kStatFigures[i].help);
      out.Sample("", *values[i]);
    }
    if (softirq_) WriteSoftirqs(out, softirqs);
    return {};
  }

 private:
  static void WriteSoftirqs(TextWriter& out, std::string_view counts) {
    static constexpr std::array<std::string_view, 10> kVectors = {
        "hi",           "timer",   "net_tx", "net_rx",  "block",
        "block_iopoll", "tasklet", "sched",  "hrtimer", "rcu"};
    TakeWord(counts);  // The sum.
    out.Family("node_softirqs_total", MetricType::kCounter, "Soft interrupts, by kind.");
    for (const std::string_view vector : kVectors) {
      const auto count = ParseValue<std::uint64_t>(TakeWord(counts));
      if (count) out.Sample(telemetry::LabelText("vector", vector).text(), *count);
    }
  }

  std::shared_ptr<ScrapeContext> context_;
  bool softirq_;
};

}  // namespace

CollectorResult CreateStat(const CollectorOptions& options) {
  return std::make_unique<Stat>(options);
}

}  // namespace atalaya::exporter
