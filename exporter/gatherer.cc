#include "exporter/gatherer.h"

#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>

#include "base/clock.h"
#include "base/log.h"
#include "exporter/units.h"

namespace atalaya::exporter {
namespace {

struct Slot {
  std::string name;
  std::unique_ptr<Collector> collector;
  std::string duration_labels;  // `collector="meminfo"`
  telemetry::TextWriter out{telemetry::TextFormat::kPrometheus};
  // Under State::mutex:
  bool entered = false;  // Some thread is inside; `out` is its own until it leaves.
  bool failed = false;   // The last time: so that a change of state is logged once.
};

struct Outcome {
  bool ended = false;  // Within the deadline, with success or not.
  bool success = false;
  std::int64_t duration_ns = 0;
};

// The collectors that one scrape has still to run, in order.
struct Job {
  telemetry::TextFormat format;
  std::vector<Slot*> slots;
  std::vector<Outcome> outcomes;
  std::size_t next = 0;  // The one that is running, or about to.
};

}  // namespace

struct Gatherer::State : std::enable_shared_from_this<Gatherer::State> {
  std::mutex mutex;       // Everything below, and what the slots say.
  bool scraping = false;  // One scrape at a time.
  std::condition_variable scrape_ended;
  std::condition_variable wake_worker;
  std::condition_variable wake_scrape;
  std::vector<std::unique_ptr<Slot>> slots;
  Job* job = nullptr;        // Being run; owned by the scrape.
  std::uint64_t worker = 0;  // Which thread may run it; an older one has been left behind.
  bool stopping = false;

  void StartWorker() {
    const std::uint64_t id = ++worker;
    std::thread([self = shared_from_this(), id] { self->Work(id); }).detach();
  }

  void Work(std::uint64_t id) {
    std::unique_lock lock(mutex);
    while (true) {
      wake_worker.wait(lock, [&] { return stopping || worker != id || Pending(); });
      if (stopping || worker != id) return;
      RunNext(lock, id);
      if (worker == id && !Pending()) wake_scrape.notify_one();
    }
  }

  bool Pending() const { return job != nullptr && job->next < job->slots.size(); }

  // Runs the job's next collector with the mutex released, unless a thread that hangs is inside.
  void RunNext(std::unique_lock<std::mutex>& lock, std::uint64_t id) {
    Slot& slot = *job->slots[job->next];
    if (slot.entered) {
      ++job->next;
      return;
    }
    slot.entered = true;
    const std::int64_t started_ns = SystemClock().SteadyNs();
    slot.out.StartPage(job->format);
    lock.unlock();
    const Status status = slot.collector->Collect(slot.out);
    lock.lock();
    slot.entered = false;
    if (worker != id) return;  // Left behind: the scrape has ended, or goes on without this.
    job->outcomes[job->next] = {true, status.has_value(), SystemClock().SteadyNs() - started_ns};
    ++job->next;
    // A machine without the thing measured is no news.
    const bool failed = !status && status.error().code != ErrorCode::kNotFound;
    NoteOutcome(slot, failed, status ? "" : status.error().message);
  }

  void NoteOutcome(Slot& slot, bool failed, const std::string& why) {
    if (failed && !slot.failed) LogWarning("collector {}: {}", slot.name, why);
    if (!failed && slot.failed) LogInfo("collector {}: works again", slot.name);
    slot.failed = failed;
  }

  // Returns with the job done.
  void Run(Job& to_run, std::chrono::milliseconds deadline) {
    std::unique_lock lock(mutex);
    job = &to_run;
    wake_worker.notify_one();
    while (Pending()) {
      const std::size_t at = to_run.next;
      const bool moved =
          wake_scrape.wait_for(lock, deadline, [&] { return to_run.next != at || !Pending(); });
      if (moved || !Pending() || to_run.next != at) continue;
      to_run.outcomes[at].duration_ns = std::chrono::nanoseconds(deadline).count();
      NoteOutcome(*to_run.slots[at], true, fmt::format("no answer within {} ms", deadline.count()));
      ++to_run.next;
      StartWorker();
      wake_worker.notify_all();
    }
    job = nullptr;
  }
};

Gatherer::Gatherer(std::vector<NamedCollector> collectors, const GatherOptions& options)
    : state_(std::make_shared<State>()), options_(options) {
  for (NamedCollector& collector : collectors) {
    auto slot = std::make_unique<Slot>();
    slot->duration_labels = telemetry::LabelText("collector", collector.name).text();
    slot->name = std::move(collector.name);
    slot->collector = std::move(collector.collector);
    state_->slots.push_back(std::move(slot));
  }
  const std::lock_guard lock(state_->mutex);
  state_->StartWorker();
}

Gatherer::~Gatherer() {
  const std::lock_guard lock(state_->mutex);
  state_->stopping = true;
  state_->wake_worker.notify_all();
}

std::vector<std::string> Gatherer::names() const {
  std::vector<std::string> names;
  for (const auto& slot : state_->slots) names.push_back(slot->name);
  return names;
}

Status Gatherer::Gather(const std::set<std::string>& only, telemetry::TextWriter& page) {
  {
    std::unique_lock lock(state_->mutex);
    if (!state_->scrape_ended.wait_for(lock, options_.queue_deadline,
                                       [&] { return !state_->scraping; })) {
      return Fail(ErrorCode::kTimeout, "another scrape has not ended within {} ms",
                  options_.queue_deadline.count());
    }
    state_->scraping = true;
  }
  Job job;
  job.format = page.format();
  for (const auto& slot : state_->slots) {
    if (only.empty() || only.contains(slot->name)) job.slots.push_back(slot.get());
  }
  job.outcomes.resize(job.slots.size());
  state_->Run(job, options_.collector_deadline);

  for (std::size_t i = 0; i < job.slots.size(); ++i) {
    // A collector that failed half way has written whole families all the same; one that hangs
    // still owns its buffer.
    if (job.outcomes[i].ended) page.Append(job.slots[i]->out.text());
  }
  {
    const std::lock_guard lock(state_->mutex);
    state_->scraping = false;
    state_->scrape_ended.notify_one();
  }
  page.Family("node_scrape_collector_duration_seconds", telemetry::MetricType::kGauge,
              "How long a collector took in this scrape.");
  for (std::size_t i = 0; i < job.slots.size(); ++i) {
    page.Sample(job.slots[i]->duration_labels,
                static_cast<double>(job.outcomes[i].duration_ns) / kNsPerSecond);
  }
  page.Family("node_scrape_collector_success", telemetry::MetricType::kGauge,
              "Whether a collector gave its figures in this scrape.");
  for (std::size_t i = 0; i < job.slots.size(); ++i) {
    page.Sample(job.slots[i]->duration_labels, job.outcomes[i].success ? 1 : 0);
  }
  return {};
}

}  // namespace atalaya::exporter
