#pragma once

#include <memory>
#include <string>
#include <vector>

#include "stress/fault_clients.h"
#include "stress/load_plan.h"
#include "stress/run_control.h"
#include "stress/run_record.h"
#include "stress/server_process.h"

namespace atalaya::stress {

// Does the faults of a scenario at their times, takes them back, and sees when all is as before.
// Times are nanoseconds from the load's start. Threads: the run's.
class FaultRunner {
 public:
  // `process` may be nullptr where no fault needs it. All must outlive this.
  FaultRunner(const LoadPlan* plan, RunControl* control, ServerProcess* process);
  ~FaultRunner();

  // Does and takes back what is due, and looks at the connections. True where the server's process
  // is another one since.
  bool Tick(std::int64_t now_ns, std::int64_t connections_wanted);
  // A second of the timeline is complete: were deliveries as planned?
  void OnRow(const TimelineRow& row);
  // Takes back what is still on, at the end of the load.
  void EndAll(std::int64_t now_ns);

  // When the next fault begins or ends; RatePlan::kNever for none.
  std::int64_t NextNs() const;

  std::vector<FaultOutcome> Take();

 private:
  struct Running {
    FaultOutcome outcome;
    enum class State { kWaiting, kOn, kRecovering, kDone } state = State::kWaiting;
    std::unique_ptr<FaultClients> clients;
    std::int64_t connected_ns = -1;   // All connections were back.
    std::int64_t delivering_ns = -1;  // Deliveries were as planned.
  };

  void Begin(Running& running, std::int64_t now_ns);
  void End(Running& running, std::int64_t now_ns);
  void Settle(Running& running);
  // Losses around it are excused.
  static bool OpensWindow(const Fault& fault) { return fault.OnProcess() || fault.ByWorkers(); }

  const LoadPlan* plan_;
  RunControl* control_;
  ServerProcess* process_;
  std::vector<Running> faults_;
  bool process_changed_ = false;
};

}  // namespace atalaya::stress
