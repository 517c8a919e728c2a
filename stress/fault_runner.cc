#include "stress/fault_runner.h"

#include <algorithm>

namespace atalaya::stress {
namespace {

constexpr double kAsPlanned = 0.9;  // Of the planned deliveries of a second.
// By then every worker has done what it was told.
constexpr std::int64_t kObeyedNs = 100'000'000;

std::int64_t Ns(std::chrono::milliseconds duration) {
  return std::chrono::nanoseconds(duration).count();
}

}  // namespace

FaultRunner::FaultRunner(const LoadPlan* plan, RunControl* control, ServerProcess* process)
    : plan_(plan), control_(control), process_(process) {
  for (const Fault& fault : plan->scenario().faults) {
    faults_.emplace_back();
    faults_.back().outcome.fault = fault;
  }
}

FaultRunner::~FaultRunner() = default;

std::int64_t FaultRunner::NextNs() const {
  std::int64_t next_ns = RatePlan::kNever;
  for (const Running& running : faults_) {
    const Fault& fault = running.outcome.fault;
    if (running.state == Running::State::kWaiting) next_ns = std::min(next_ns, Ns(fault.at));
    if (running.state == Running::State::kOn) {
      next_ns = std::min(next_ns, running.outcome.began_ns + Ns(fault.lasts));
    }
  }
  return next_ns;
}

bool FaultRunner::Tick(std::int64_t now_ns, std::int64_t connections_wanted) {
  process_changed_ = false;
  for (Running& running : faults_) {
    const Fault& fault = running.outcome.fault;
    if (running.state == Running::State::kWaiting && now_ns >= Ns(fault.at)) {
      Begin(running, now_ns);
    }
    if (running.state == Running::State::kOn &&
        now_ns >= running.outcome.began_ns + Ns(fault.lasts)) {
      End(running, now_ns);
    } else if (running.state == Running::State::kRecovering && running.connected_ns < 0 &&
               now_ns >= running.outcome.ended_ns + kObeyedNs &&
               control_->ready_connections.load() >= connections_wanted) {
      running.connected_ns = now_ns;
      Settle(running);
    }
  }
  return process_changed_;
}

void FaultRunner::Begin(Running& running, std::int64_t now_ns) {
  const Fault& fault = running.outcome.fault;
  std::string& note = running.outcome.note;
  running.state = Running::State::kOn;
  running.outcome.began_ns = now_ns;
  if (OpensWindow(fault)) control_->commands.Add(Command::kOpenFaultWindow);
  switch (fault.kind) {
    case FaultKind::kKill: {
      note = fmt::format("pid {} was killed", process_->pid());
      if (Status done = process_->Kill(); !done) note = done.error().message;
      break;
    }
    case FaultKind::kStop: {
      note = fmt::format("pid {} was halted", process_->pid());
      if (Status done = process_->Halt(); !done) note = done.error().message;
      break;
    }
    case FaultKind::kReconnect:
      note = fmt::format("{} connections were reset", control_->ready_connections.load());
      control_->commands.Add(Command::kResetAll);
      break;
    case FaultKind::kAway:
      note = "the subscribers left";
      control_->commands.Add(Command::kSendAway);
      break;
    default:
      running.clients = std::make_unique<FaultClients>(
          fault, plan_->peer().address,
          fmt::format("{}/{:08x}/#", plan_->scenario().topic_prefix, plan_->roster().run_id()),
          fmt::format("f-{:08x}-{}", plan_->roster().run_id(), &running - faults_.data()));
  }
}

void FaultRunner::End(Running& running, std::int64_t now_ns) {
  const Fault& fault = running.outcome.fault;
  std::string& note = running.outcome.note;
  running.state = Running::State::kRecovering;
  running.outcome.ended_ns = now_ns;
  if (fault.kind == FaultKind::kKill) {
    const Status started = process_->Restart();
    note += started ? fmt::format(", and started again as pid {}", process_->pid())
                    : "; " + started.error().message;
    process_changed_ = true;
  }
  if (fault.kind == FaultKind::kStop) {
    if (Status done = process_->GoOn(); !done) note += "; " + done.error().message;
  }
  if (fault.kind == FaultKind::kAway) control_->commands.Add(Command::kCallBack);
  if (running.clients) note = running.clients->End();
  running.clients.reset();
}

void FaultRunner::OnRow(const TimelineRow& row) {
  const bool as_planned =
      plan_->closed() ? row.received > 0
                      : static_cast<double>(row.received) >= kAsPlanned * row.planned_deliveries;
  for (Running& running : faults_) {
    if (running.state != Running::State::kRecovering || running.delivering_ns >= 0) continue;
    if (row.drain || row.to_ns <= running.outcome.ended_ns || !as_planned) continue;
    running.delivering_ns = std::max(row.from_ns, running.outcome.ended_ns);
    Settle(running);
  }
}

void FaultRunner::Settle(Running& running) {
  if (running.connected_ns < 0 || running.delivering_ns < 0) return;
  running.outcome.recovered_ns = std::max(running.connected_ns, running.delivering_ns);
  running.state = Running::State::kDone;
  if (OpensWindow(running.outcome.fault)) control_->commands.Add(Command::kCloseFaultWindow);
}

void FaultRunner::EndAll(std::int64_t now_ns) {
  for (Running& running : faults_) {
    if (running.state == Running::State::kOn) End(running, now_ns);
  }
}

std::vector<FaultOutcome> FaultRunner::Take() {
  std::vector<FaultOutcome> outcomes;
  for (Running& running : faults_) {
    if (running.state == Running::State::kWaiting) running.outcome.note = "the run ended before it";
    outcomes.push_back(std::move(running.outcome));
  }
  return outcomes;
}

}  // namespace atalaya::stress
