#include <array>
#include <vector>

#include "exporter/collector_table.h"
#include "exporter/cpu_facts.h"
#include "exporter/kernel_file.h"
#include "exporter/scrape_context.h"
#include "exporter/units.h"

namespace atalaya::exporter {
namespace {

using telemetry::LabelText;
using telemetry::MetricType;
using telemetry::TextWriter;

constexpr std::size_t kModes = 8;
// In the order of /proc/stat (proc(5)); `guest` and `guest_nice` follow and are families of their
// own, since `user` and `nice` count them too.
constexpr std::array<std::string_view, kModes> kModeNames = {"user",   "nice", "system",  "idle",
                                                             "iowait", "irq",  "softirq", "steal"};
constexpr std::array<std::string_view, 2> kGuestModeNames = {"user", "nice"};

struct CpuLabels {
  std::array<std::string, kModes> modes;
  std::array<std::string, 2> guest_modes;
};

struct CpuTimes {
  std::size_t cpu = 0;
  std::array<double, kModes + 2> ticks{};
};

class Cpu final : public Collector {
 public:
  Cpu(const CollectorOptions& options, CpuFacts facts)
      : context_(ContextOf(options)), guest_(options.cpu_guest), facts_(std::move(facts)) {}

  Status Collect(TextWriter& out) override {
    const Result<std::shared_ptr<const std::string>> content = context_->Stat();
    if (!content) return Forward(content.error());
    Read(**content);
    if (guest_) WriteGuests(out);
    out.Family("node_cpu_seconds_total", MetricType::kCounter, "Time a CPU spent in each mode.");
    for (const CpuTimes& times : times_) {
      for (std::size_t i = 0; i < kModes; ++i) {
        out.Sample(LabelsOf(times.cpu).modes[i], times.ticks[i] / kTicksPerSecond);
      }
    }
    facts_.Write(out);
    return {};
  }

 private:
  static constexpr std::size_t kMaxCpus = 65536;

  void WriteGuests(TextWriter& out) {
    out.Family("node_cpu_guest_seconds_total", MetricType::kCounter,
               "Time a CPU spent running guests, which user and nice time include.");
    for (const CpuTimes& times : times_) {
      for (std::size_t i = 0; i < 2; ++i) {
        out.Sample(LabelsOf(times.cpu).guest_modes[i], times.ticks[kModes + i] / kTicksPerSecond);
      }
    }
  }

  void Read(std::string_view content) {
    times_.clear();
    while (!content.empty()) {
      std::string_view line = TakeLine(content);
      std::string_view word = TakeWord(line);
      if (!word.starts_with("cpu")) continue;
      const std::optional<std::size_t> cpu = ParseNumber<std::size_t>(word.substr(3));
      if (!cpu || *cpu >= kMaxCpus) continue;  // "cpu" alone is the sum.
      // The kernel goes up; a broken file may say one twice.
      if (!times_.empty() && *cpu <= times_.back().cpu) continue;
      CpuTimes times;
      times.cpu = *cpu;
      if (ReadTicks(line, times)) times_.push_back(times);
    }
  }

  // An old kernel gives fewer columns; those it lacks are 0, as node_exporter has it.
  static bool ReadTicks(std::string_view line, CpuTimes& times) {
    for (double& ticks : times.ticks) {
      const std::string_view word = TakeWord(line);
      if (word.empty()) break;
      const std::optional<double> value = ParseValue<double>(word);
      if (!value) return false;
      ticks = *value;
    }
    return true;
  }

  const CpuLabels& LabelsOf(std::size_t cpu) {
    while (labels_.size() <= cpu) {
      const std::string number = std::to_string(labels_.size());
      CpuLabels labels;
      for (std::size_t i = 0; i < kModes; ++i) {
        labels.modes[i] = LabelText("cpu", number).Add("mode", kModeNames[i]).text();
      }
      for (std::size_t i = 0; i < 2; ++i) {
        labels.guest_modes[i] = LabelText("cpu", number).Add("mode", kGuestModeNames[i]).text();
      }
      labels_.push_back(std::move(labels));
    }
    return labels_[cpu];
  }

  std::shared_ptr<ScrapeContext> context_;
  bool guest_;
  CpuFacts facts_;
  std::vector<CpuTimes> times_;
  std::vector<CpuLabels> labels_;
};

}  // namespace

CollectorResult CreateCpu(const CollectorOptions& options) {
  Result<CpuFacts> facts = CpuFacts::Create(options);
  if (!facts) return Forward(facts.error());
  return std::make_unique<Cpu>(options, std::move(*facts));
}

}  // namespace atalaya::exporter
