#include "exporter/gatherer.h"

#include "base/clock.h"
#include "base/log.h"
#include "exporter/kernel_file.h"
#include "exporter/scrape_context.h"
#include "exporter/units.h"

namespace atalaya::exporter {
namespace {

constexpr std::string_view kForeignCollector = "textfile";  // Its families come from others.
constexpr std::string_view kTypeLine = "# TYPE ";

}  // namespace

struct Gatherer::Slot {
  std::string name;
  std::unique_ptr<Collector> collector;
  std::string labels;  // `collector="meminfo"`
  telemetry::TextWriter out{telemetry::TextFormat::kPrometheus};
  bool entered = false;  // Some thread is inside; `out` is its own until it leaves.
  std::uint64_t values_left_out = 0;
  bool failed = false;  // The last time: so that a change of state is logged once.
  bool of_devices = false;
  std::uint64_t absent_since = 0;  // The generation of facts in which there was nothing; 0: not so.
  bool absent_success = false;     // What it said then.

  void Note(bool now_failed, std::string_view why) {
    if (now_failed && !failed) LogWarning("collector {}: {}", name, why);
    if (!now_failed && failed) LogInfo("collector {}: works again", name);
    failed = now_failed;
  }
};

struct Gatherer::Outcome {
  std::shared_ptr<Slot> slot;
  bool ended = false;  // Within the deadline, with success or not.
  bool success = false;
  std::int64_t duration_ns = 0;
};

Gatherer::Gatherer(std::vector<NamedCollector> collectors, const GatherOptions& options,
                   std::shared_ptr<Baton> baton, std::shared_ptr<ScrapeContext> context)
    : options_(options), baton_(std::move(baton)), context_(std::move(context)) {
  for (NamedCollector& collector : collectors) {
    auto slot = std::make_shared<Slot>();
    slot->labels = telemetry::LabelText("collector", collector.name).text();
    slot->name = std::move(collector.name);
    slot->collector = std::move(collector.collector);
    slot->of_devices = collector.of_devices;
    names_.push_back(slot->name);
    slots_.push_back(std::move(slot));
  }
}

Gatherer::~Gatherer() = default;

void Gatherer::Begin(const std::set<std::string>& only, telemetry::TextFormat format) {
  format_ = format;
  outcomes_.clear();
  for (const auto& slot : slots_) {
    if (only.empty() || only.contains(slot->name)) outcomes_.push_back({slot});
  }
  next_ = 0;
  began_ns_ = SystemClock().SteadyNs();
  if (context_) context_->Begin();
  baton_->Watch(options_.collector_deadline);
}

bool Gatherer::GoOn() {
  const std::int64_t deadline_ns =
      began_ns_ + std::chrono::nanoseconds(options_.scrape_deadline).count();
  while (next_ < outcomes_.size()) {
    Outcome& outcome = outcomes_[next_];
    Slot& slot = *outcome.slot;
    if (slot.entered || SystemClock().SteadyNs() >= deadline_ns) {
      ++next_;
      continue;
    }
    slot.out.StartPage(format_);
    if (slot.absent_since != 0 && slot.absent_since == context_->facts_generation()) {
      outcome.ended = true;
      outcome.success = slot.absent_success;
      ++next_;
      continue;
    }
    slot.entered = true;
    const std::int64_t started_ns = SystemClock().SteadyNs();
    // The slot outlives the gatherer, should its thread be left behind.
    const std::shared_ptr<Slot> kept = outcome.slot;
    Status status;
    const bool in_time = baton_->Try([&] {
      const std::uint64_t unreadable = UnreadableValues();
      status = kept->collector->Collect(kept->out);
      kept->values_left_out += UnreadableValues() - unreadable;
    });
    kept->entered = false;
    if (!in_time) return false;
    outcome.ended = true;
    outcome.success = status.has_value();
    outcome.duration_ns = SystemClock().SteadyNs() - started_ns;
    ++next_;
    // A machine without the thing measured is no news.
    const bool failed = !status && status.error().code != ErrorCode::kNotFound;
    slot.Note(failed, status ? "" : status.error().message);
    const bool absent = slot.of_devices && context_ && !failed && slot.out.text().empty();
    slot.absent_since = absent ? context_->facts_generation() : 0;
    slot.absent_success = outcome.success;
  }
  baton_->EndWatch();
  return true;
}

void Gatherer::Overdue() {
  Outcome& outcome = outcomes_[next_++];
  outcome.duration_ns = std::chrono::nanoseconds(options_.collector_deadline).count();
  outcome.slot->Note(true,
                     fmt::format("no answer within {} ms", options_.collector_deadline.count()));
}

void Gatherer::Write(telemetry::TextWriter& page) const {
  const Slot* foreign = nullptr;
  for (const Outcome& outcome : outcomes_) {
    // A collector that failed half way has written whole families all the same; one that hangs
    // still owns its buffer.
    if (!outcome.ended) continue;
    if (outcome.slot->name == kForeignCollector) {
      foreign = outcome.slot.get();
    } else {
      page.Append(outcome.slot->out.text());
    }
  }
  page.Family("node_scrape_collector_duration_seconds", telemetry::MetricType::kGauge,
              "How long a collector took in this scrape.");
  for (const Outcome& outcome : outcomes_) {
    page.Sample(outcome.slot->labels, static_cast<double>(outcome.duration_ns) / kNsPerSecond);
  }
  page.Family("node_scrape_collector_success", telemetry::MetricType::kGauge,
              "Whether a collector gave its figures in this scrape.");
  for (const Outcome& outcome : outcomes_) {
    page.Sample(outcome.slot->labels, outcome.success ? 1 : 0);
  }
  page.Family("cloud_exporter_values_left_out_total", telemetry::MetricType::kCounter,
              "Values of the kernel that a collector could not read, and left out.");
  for (const Outcome& outcome : outcomes_) {
    if (!outcome.ended || outcome.slot->values_left_out == 0) continue;
    page.Sample(outcome.slot->labels, outcome.slot->values_left_out);
  }
  if (foreign != nullptr) AppendForeign(*foreign, page);
}

// A family that is on the page already would make the whole page invalid: that of the textfile is
// left out.
void Gatherer::AppendForeign(const Slot& slot, telemetry::TextWriter& page) const {
  std::string_view rest = slot.out.text();
  std::string heading;
  while (!rest.empty()) {
    // One family: up to the next "# HELP" that begins a line.
    const std::size_t next = rest.find("\n# HELP ");
    const std::string_view family = rest.substr(0, next == rest.npos ? rest.size() : next + 1);
    rest.remove_prefix(family.size());
    const std::size_t type = family.find(kTypeLine);
    const std::size_t end = type == family.npos ? type : family.find(' ', type + kTypeLine.size());
    if (end == family.npos) continue;
    heading.assign("\n").append(family.substr(type, end - type + 1));
    if (page.text().find(heading) == std::string::npos) page.Append(family);
  }
}

}  // namespace atalaya::exporter
