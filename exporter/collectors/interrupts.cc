#include <unordered_set>
#include <vector>

#include "exporter/collector_table.h"
#include "exporter/kernel_file.h"

namespace atalaya::exporter {
namespace {

using telemetry::LabelText;
using telemetry::TextWriter;

// One line of /proc/interrupts: its labels are rendered anew only where its words changed.
struct InterruptLine {
  std::string name;                 // "27", "NMI"
  std::string tail;                 // What stands after the counts.
  std::vector<std::string> labels;  // By CPU.
};

bool IsInterruptNumber(std::string_view name) {
  return !name.empty() && name.find_first_not_of("0123456789") == std::string_view::npos;
}

class Interrupts final : public Collector {
 public:
  explicit Interrupts(const CollectorOptions& options)
      : interrupts_(options.procfs / "interrupts") {}

  Status Collect(TextWriter& out) override {
    Result<std::string_view> content = interrupts_.Read();
    if (!content) return Forward(content.error());
    std::string_view headings = TakeLine(*content);
    std::size_t cpus = 0;
    while (!TakeWord(headings).empty()) ++cpus;
    if (cpus == 0) return Fail(ErrorCode::kInvalid, "{}: empty", interrupts_.path().string());
    out.Family("node_interrupts_total", telemetry::MetricType::kCounter,
               "Interrupts served, by CPU and kind.");
    written_.clear();
    for (std::size_t row = 0; !content->empty(); ++row)
      WriteLine(out, row, cpus, TakeLine(*content));
    return {};
  }

 private:
  void WriteLine(TextWriter& out, std::size_t row, std::size_t cpus, std::string_view line) {
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) return;
    const std::string_view name = TrimSpace(line.substr(0, colon));
    line.remove_prefix(colon + 1);
    counts_.clear();
    while (counts_.size() < cpus) {
      const std::optional<std::uint64_t> count = ParseNumber<std::uint64_t>(TakeWord(line));
      if (!count) return;  // "ERR" and "MIS" have one count for all CPUs, and no words.
      counts_.push_back(*count);
    }
    const std::string_view tail = TrimSpace(line);
    if (tail.empty()) return;
    if (lines_.size() <= row) lines_.resize(row + 1);
    InterruptLine& known = lines_[row];
    if (known.name != name || known.tail != tail || known.labels.size() != cpus)
      Render(known, name, tail, cpus);
    if (!written_.insert(known.labels[0]).second) return;  // A broken file says one twice.
    for (std::size_t cpu = 0; cpu < cpus; ++cpu) out.Sample(known.labels[cpu], counts_[cpu]);
  }

  static void Render(InterruptLine& line, std::string_view name, std::string_view tail,
                     std::size_t cpus) {
    line.name = name;
    line.tail = tail;
    // A numbered one names its controller first; the others have a description.
    std::string words[2];
    const bool numbered = IsInterruptNumber(name);
    bool first = true;
    for (std::string_view word = TakeWord(tail); !word.empty(); word = TakeWord(tail)) {
      std::string& to = words[numbered && !first ? 1 : 0];
      if (!to.empty()) to += ' ';
      to += word;
      first = false;
    }
    line.labels.clear();
    for (std::size_t cpu = 0; cpu < cpus; ++cpu) {
      LabelText labels("cpu", std::to_string(cpu));
      labels.Add("devices", words[1]).Add("info", words[0]).Add("type", name);
      line.labels.emplace_back(labels.text());
    }
  }

  KernelFile interrupts_;
  std::vector<InterruptLine> lines_;
  std::unordered_set<std::string> written_;  // The first labels of lines in this scrape.
  std::vector<std::uint64_t> counts_;
};

}  // namespace

CollectorResult CreateInterrupts(const CollectorOptions& options) {
  return std::make_unique<Interrupts>(options);
}

}  // namespace atalaya::exporter
