#include "stress/run.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <thread>

#include "base/clock.h"
#include "stress/delivery_audit.h"
#include "stress/fault_runner.h"
#include "stress/run_control.h"
#include "stress/worker.h"

namespace atalaya::stress {
namespace {

constexpr std::int64_t kPollNs = 20'000'000;
constexpr std::int64_t kConnectingEveryNs = 1'000'000'000;
constexpr std::int64_t kLeadNs = 50'000'000;  // Every worker has seen a new time before it comes.

// One run as the main thread sees it.
class Conductor {
 public:
  Conductor(const LoadPlan* plan, const RunTools& tools)
      : plan_(plan),
        tools_(tools),
        control_(plan->workers()),
        faults_(plan, &control_, tools.process) {
    record_.scenario = plan->scenario();
    record_.server = tools.server->server();
    record_.server_note = tools.server->note();
    if (tools.metrics != nullptr) {
      tools.metrics->SetWanted(static_cast<std::uint64_t>(plan->scenario().connections()));
    }
  }

  Status CreateWorkers() {
    for (std::size_t index = 0; index < plan_->workers(); ++index) {
      Result<std::unique_ptr<Worker>> worker = Worker::Create(plan_, index, &control_);
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
    TakeAlerts();
    return std::move(record_);
  }

 private:
  // Waits a little, and passes a stop signal on.
  void Pause(std::int64_t ns) {
    pollfd ready{tools_.stop->fd(), POLLIN, 0};
    poll(&ready, 1, static_cast<int>(std::max<std::int64_t>(ns, 0) / 1'000'000));
    if (tools_.stop->Take() != StopSignal::Kind::kStop || record_.interrupted) return;
    record_.interrupted = true;
    control_.stop_ns.store(SteadyNow() + kLeadNs);
  }

  void ShowConnections() {
    const std::int64_t ready = control_.ready_connections.load();
    const std::uint64_t failed = control_.failed_connections.load();
    tools_.progress->Connecting(static_cast<std::uint64_t>(ready), failed);
    if (tools_.metrics != nullptr) tools_.metrics->SetConnections(ready, failed);
  }

  void WaitForConnections() {
    const std::int64_t from_ns = SteadyNow();
    std::int64_t next_ns = from_ns;
    while (control_.decided.load() < workers_.size()) {
      if (const std::int64_t now_ns = SteadyNow(); now_ns >= next_ns) {
        ShowConnections();
        next_ns = now_ns + kConnectingEveryNs;
      }
      Pause(kPollNs);
    }
    ShowConnections();
    record_.connect_ns = SteadyNow() - from_ns;
    connections_wanted_ = control_.ready_connections.load();
    start_ns_ = SteadyNow() + kLeadNs;
    control_.start_ns.store(start_ns_);
  }

  void WatchLoad() {
    while (SteadyNow() < start_ns_) Pause(start_ns_ - SteadyNow());
    tools_.server->Sample(SteadyNow());  // What the connects cost is not the load's.
    std::int64_t next_ns = start_ns_ + IntervalEnd(0);
    while (control_.ended.load() < workers_.size()) {
      const std::int64_t now_ns = SteadyNow();
      if (now_ns >= next_ns && IntervalEnd(samples_.size()) > IntervalBegin(samples_.size())) {
        samples_.push_back(tools_.server->Sample(now_ns));
        next_ns = start_ns_ + IntervalEnd(samples_.size());
      }
      if (control_.loads_ended.load() > 0 || control_.stop_ns.load() != 0) {
        faults_.EndAll(now_ns - start_ns_);
      } else if (faults_.Tick(now_ns - start_ns_, connections_wanted_)) {
        tools_.server->Follow(tools_.process->pid());
      }
      TakeRows();
      const std::int64_t fault_ns = faults_.NextNs();
      const std::int64_t wake_ns =
          fault_ns == RatePlan::kNever ? next_ns : std::min(next_ns, start_ns_ + fault_ns);
      Pause(std::min(kPollNs, std::max<std::int64_t>(wake_ns - SteadyNow(), 2'000'000)));
    }
    ended_ns_ = SteadyNow();
    samples_.push_back(tools_.server->Sample(ended_ns_));
  }

  std::int64_t IntervalBegin(std::size_t index) const {
    return std::min(static_cast<std::int64_t>(index) * kIntervalNs, plan_->duration_ns());
  }
  std::int64_t IntervalEnd(std::size_t index) const { return IntervalBegin(index + 1); }

  void TakeRows() {
    while (true) {
      // A second's server figures are read when it is over, a moment before or after the workers'.
      const bool sampled = record_.timeline.size() < samples_.size();
      if (!sampled && ended_ns_ == 0) return;
      const std::optional<IntervalFigures> figures = control_.board.TakeNext();
      if (!figures) return;
      TakeRow(*figures, sampled);
    }
  }

  void TakeRow(const IntervalFigures& figures, bool sampled) {
    const std::size_t index = record_.timeline.size();
    TimelineRow row;
    row.from_ns = index == 0 ? 0 : record_.timeline.back().to_ns;
    row.to_ns = row.from_ns + figures.load_ns;
    row.drain = figures.load_ns == 0;
    row.planned = plan_->closed() ? figures.sent : plan_->Planned(row.from_ns, row.to_ns);
    row.planned_deliveries = plan_->closed() ? static_cast<double>(figures.received)
                                             : plan_->PlannedDeliveries(row.from_ns, row.to_ns);
    row.sent = figures.sent;
    row.received = figures.received;
    row.bytes_out = figures.bytes_out;
    row.bytes_in = figures.bytes_in;
    row.failures = figures.failures;
    row.connections = control_.ready_connections.load();
    row.p50_ns = figures.response.PercentileNs(50);
    row.p90_ns = figures.response.PercentileNs(90);
    row.p99_ns = figures.response.PercentileNs(99);
    row.max_ns = figures.response.max_ns();
    row.generator_cpu_ns = figures.cpu_ns;
    if (sampled) row.server = samples_[index];
    record_.timeline.push_back(row);
    faults_.OnRow(row);
    tools_.progress->Row(row);
    if (tools_.metrics != nullptr) {
      tools_.metrics->SetConnections(row.connections, control_.failed_connections.load());
      tools_.metrics->Add(figures, row.planned);
    }
  }

  void Finish() {
    tools_.progress->Finish();
    for (const std::unique_ptr<Worker>& worker : workers_) {
      const WorkerFigures& figures = worker->figures();
      record_.totals.Merge(figures);
      record_.worker_cpu_percent.push_back(figures.load_wall_ns == 0
                                               ? 0
                                               : 100 * static_cast<double>(figures.load_cpu_ns) /
                                                     static_cast<double>(figures.load_wall_ns));
    }
    record_.load_ns = record_.totals.load_wall_ns;
    record_.messages = record_.totals.Total();
    record_.ledgers = AuditDeliveries(*plan_, workers_);
    for (const LedgerFigures& ledger : record_.ledgers) record_.ledger += ledger;
    record_.faults = faults_.Take();
    const std::int64_t plan_ns = plan_->duration_ns();
    record_.drain_ns = std::max<std::int64_t>(ended_ns_ - start_ns_ - record_.load_ns, 0);
    record_.target_lost =
        !record_.interrupted && record_.totals.connected > 0 && record_.load_ns < plan_ns;
    record_.planned = record_.totals.due;
    if (!record_.interrupted && (record_.target_lost || record_.totals.connected == 0)) {
      record_.planned = std::max(record_.planned, plan_->Planned(0, plan_ns));
    }
    if (!record_.timeline.empty() && record_.timeline.back().drain) {
      record_.timeline.back().to_ns += record_.drain_ns;
    }
  }

  void TakeAlerts() {
    if (tools_.alerts == nullptr) {
      record_.alerts_note = "nobody was asked for alerts (--alertd)";
      return;
    }
    record_.alerts = tools_.alerts->Events();
    for (AlertEvent& alert : record_.alerts) {
      alert.fired_ns -= start_ns_;
      if (alert.resolved_ns) *alert.resolved_ns -= start_ns_;
    }
    for (std::size_t i = 0; i < record_.alerts.size(); ++i) {
      FaultOutcome* fault = FaultOf(record_.alerts[i]);
      if (fault != nullptr && !fault->alert) fault->alert = i;
    }
  }

  // The last fault that began before the alert fired and may have raised it; nullptr for none.
  FaultOutcome* FaultOf(const AlertEvent& alert) {
    FaultOutcome* found = nullptr;
    for (FaultOutcome& fault : record_.faults) {
      const bool named = fault.fault.alert.empty() || fault.fault.alert == alert.name;
      const std::int64_t end_ns =
          std::max(fault.ended_ns, fault.recovered_ns.value_or(0)) + kAlertGraceNs;
      if (alert.from_before || !named || fault.ended_ns == 0 || alert.fired_ns < fault.began_ns ||
          alert.fired_ns > end_ns) {
        continue;
      }
      if (found == nullptr || fault.began_ns > found->began_ns) found = &fault;
    }
    return found;
  }

  const LoadPlan* plan_;
  RunTools tools_;
  RunControl control_;
  FaultRunner faults_;
  std::vector<std::unique_ptr<Worker>> workers_;
  RunRecord record_;
  std::int64_t connections_wanted_ = 0;  // Those that were ready when the load began.
  std::int64_t start_ns_ = 0;
  std::int64_t ended_ns_ = 0;
  std::vector<std::optional<ServerPoint>> samples_;  // By interval.
};

}  // namespace

Result<RunRecord> RunScenario(const Scenario& scenario, const RunLimits& limits,
                              std::size_t workers, const RunTools& tools) {
  const Result<TargetAddress> target = ResolveTarget(scenario.target.address);
  if (!target) return Forward(target.error());
  Result<TransportMaker> transports = TransportMaker::Create(scenario.target);
  if (!transports) return Forward(transports.error());
  // Two runs against one server must not meet: time and pid tell them apart.
  const auto run_id =
      static_cast<std::uint32_t>(SystemClock().NowMs() ^ (std::int64_t{getpid()} << 16));
  const LoadPlan plan(scenario, limits, *target, std::move(*transports), run_id, workers);
  Conductor conductor(&plan, tools);
  if (Status created = conductor.CreateWorkers(); !created) return Forward(created.error());
  return conductor.Run();
}

}  // namespace atalaya::stress
