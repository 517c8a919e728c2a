#include "stress/run.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <thread>

#include "base/clock.h"
#include "stress/run_control.h"
#include "stress/worker.h"

namespace atalaya::stress {
namespace {

constexpr std::int64_t kPollNs = 20'000'000;
constexpr std::int64_t kConnectingEveryNs = 1'000'000'000;
constexpr std::int64_t kLeadNs = 50'000'000;  // Every worker has seen a new time before it comes.

std::int64_t SteadyNs() { return SystemClock().SteadyNs(); }

// One run as the main thread sees it.
class Conductor {
 public:
  Conductor(const Scenario& scenario, std::size_t workers, ServerWatch* server, Progress* progress,
            StopSignal* stop)
      : schedule_(scenario.rate_per_s, std::chrono::nanoseconds(scenario.duration).count(),
                  static_cast<std::uint32_t>(scenario.clients)),
        control_(workers),
        server_(server),
        progress_(progress),
        stop_(stop) {
    record_.scenario = scenario;
    record_.server = server->server();
    record_.server_note = server->note();
  }

  Status CreateWorkers(const RunLimits& limits, std::size_t count) {
    const Result<TargetAddress> target = ResolveTarget(record_.scenario.target);
    if (!target) return Forward(target.error());
    WorkerPlan plan{record_.scenario, limits, *target, 0, 0, count};
    // Two runs against one server must not meet: time and pid tell them apart.
    plan.run_id =
        static_cast<std::uint32_t>(SystemClock().NowMs() ^ (std::int64_t{getpid()} << 16));
    for (; plan.index < count; ++plan.index) {
      Result<std::unique_ptr<Worker>> worker = Worker::Create(plan, &control_);
      if (!worker) return Forward(worker.error());
      workers_.push_back(std::move(*worker));
    }
    return {};
  }

  RunRecord Run() {
    std::vector<std::thread> threads;
    threads.reserve(workers_.size());
    for (const std::unique_ptr<Worker>& worker : workers_) {
      threads.emplace_back([&worker] { worker->Run(); });
    }
    WaitForConnections();
    WatchLoad();
    for (std::thread& thread : threads) thread.join();
    TakeRows();
    Finish();
    return std::move(record_);
  }

 private:
  // Waits a little, and passes a stop signal on.
  void Pause(std::int64_t ns) {
    pollfd ready{stop_->fd(), POLLIN, 0};
    poll(&ready, 1, static_cast<int>(std::max<std::int64_t>(ns, 0) / 1'000'000));
    if (stop_->Take() != StopSignal::Kind::kStop || record_.interrupted) return;
    record_.interrupted = true;
    control_.stop_ns.store(SteadyNs() + kLeadNs);
  }

  void WaitForConnections() {
    const std::int64_t from_ns = SteadyNs();
    std::int64_t next_ns = from_ns;
    while (control_.decided.load() < workers_.size()) {
      if (const std::int64_t now_ns = SteadyNs(); now_ns >= next_ns) {
        progress_->Connecting(control_.ready_connections.load(),
                              control_.failed_connections.load());
        next_ns = now_ns + kConnectingEveryNs;
      }
      Pause(kPollNs);
    }
    progress_->Connecting(control_.ready_connections.load(), control_.failed_connections.load());
    record_.connect_ns = SteadyNs() - from_ns;
    start_ns_ = SteadyNs() + kLeadNs;
    control_.start_ns.store(start_ns_);
  }

  void WatchLoad() {
    while (SteadyNs() < start_ns_) Pause(start_ns_ - SteadyNs());
    server_->Sample(SteadyNs());  // What the connects cost is not the load's.
    std::int64_t next_ns = start_ns_ + IntervalEnd(0);
    while (control_.ended.load() < workers_.size()) {
      const std::int64_t now_ns = SteadyNs();
      if (now_ns >= next_ns && IntervalEnd(samples_.size()) > IntervalBegin(samples_.size())) {
        samples_.push_back(server_->Sample(now_ns));
        next_ns = start_ns_ + IntervalEnd(samples_.size());
      }
      TakeRows();
      Pause(std::min(kPollNs, std::max<std::int64_t>(next_ns - SteadyNs(), 2'000'000)));
    }
    ended_ns_ = SteadyNs();
    samples_.push_back(server_->Sample(ended_ns_));
  }

  std::int64_t IntervalBegin(std::size_t index) const {
    return std::min(static_cast<std::int64_t>(index) * kIntervalNs, schedule_.duration_ns());
  }
  std::int64_t IntervalEnd(std::size_t index) const { return IntervalBegin(index + 1); }

  void TakeRows() {
    while (true) {
      // A second's server figures are read when it is over, a moment before or after the workers'.
      const bool sampled = record_.timeline.size() < samples_.size();
      if (!sampled && ended_ns_ == 0) return;
      const std::optional<IntervalFigures> figures = control_.board.TakeNext();
      if (!figures) return;
      const std::size_t index = record_.timeline.size();
      TimelineRow row;
      row.from_ns = index == 0 ? 0 : record_.timeline.back().to_ns;
      row.to_ns = row.from_ns + figures->load_ns;
      row.drain = figures->load_ns == 0;
      row.planned = schedule_.CountBefore(row.to_ns) - schedule_.CountBefore(row.from_ns);
      row.sent = figures->sent;
      row.received = figures->received;
      row.bytes_out = figures->bytes_out;
      row.bytes_in = figures->bytes_in;
      row.failures = figures->failures;
      row.p50_ns = figures->response.PercentileNs(50);
      row.p99_ns = figures->response.PercentileNs(99);
      row.max_ns = figures->response.max_ns();
      row.generator_cpu_ns = figures->cpu_ns;
      if (sampled) row.server = samples_[index];
      record_.timeline.push_back(row);
      progress_->Row(row);
    }
  }

  void Finish() {
    progress_->Finish();
    for (const std::unique_ptr<Worker>& worker : workers_) {
      const WorkerFigures& figures = worker->figures();
      record_.totals.Merge(figures);
      record_.load_ns = std::max(record_.load_ns, figures.load_wall_ns);
      record_.worker_cpu_percent.push_back(figures.load_wall_ns == 0
                                               ? 0
                                               : 100 * static_cast<double>(figures.load_cpu_ns) /
                                                     static_cast<double>(figures.load_wall_ns));
    }
    const std::int64_t plan_ns = schedule_.duration_ns();
    record_.drain_ns = std::max<std::int64_t>(ended_ns_ - start_ns_ - record_.load_ns, 0);
    record_.planned = schedule_.total();
    if (record_.interrupted) {
      const std::int64_t stopped_ns =
          std::clamp<std::int64_t>(control_.stop_ns.load() - start_ns_, 0, plan_ns);
      record_.planned = schedule_.CountBefore(stopped_ns);
    }
    record_.target_lost =
        !record_.interrupted && record_.totals.connected > 0 && record_.load_ns < plan_ns;
    if (!record_.timeline.empty() && record_.timeline.back().drain) {
      record_.timeline.back().to_ns += record_.drain_ns;
    }
  }

  Schedule schedule_;
  RunControl control_;
  ServerWatch* server_;
  Progress* progress_;
  StopSignal* stop_;
  std::vector<std::unique_ptr<Worker>> workers_;
  RunRecord record_;
  std::int64_t start_ns_ = 0;
  std::int64_t ended_ns_ = 0;
  std::vector<std::optional<ServerPoint>> samples_;  // By interval.
};

}  // namespace

Result<RunRecord> RunScenario(const Scenario& scenario, const RunLimits& limits,
                              std::size_t workers, ServerWatch* server, Progress* progress,
                              StopSignal* stop) {
  Conductor conductor(scenario, workers, server, progress, stop);
  if (Status created = conductor.CreateWorkers(limits, workers); !created) {
    return Forward(created.error());
  }
  return conductor.Run();
}

}  // namespace atalaya::stress
