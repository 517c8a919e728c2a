#pragma once

#include "base/result.h"
#include "base/stop_signal.h"
#include "stress/alert_watch.h"
#include "stress/live_metrics.h"
#include "stress/progress.h"
#include "stress/run_record.h"
#include "stress/server_process.h"
#include "stress/server_watch.h"

namespace atalaya::stress {

// What a run uses besides its scenario. All belong to the caller; those that may be missing are
// nullptr then.
struct RunTools {
  ServerWatch* server = nullptr;
  Progress* progress = nullptr;
  StopSignal* stop = nullptr;
  ServerProcess* process = nullptr;  // May be missing where no fault needs it.
  AlertWatch* alerts = nullptr;      // May be missing.
  LiveMetrics* metrics = nullptr;    // May be missing.
};

// Runs `scenario` on `workers` threads: connects, loads, drains. A target that refuses, resets,
// hangs or dies is no error here but a part of the record. SIGINT or SIGTERM ends the load early;
// the record then holds what was measured. The record's environment is left empty. Blocks for the
// run. kNotFound where the target's name has no address, kIo where the kernel gives no epoll;
// errors of TransportMaker::Create.
Result<RunRecord> RunScenario(const Scenario& scenario, const RunLimits& limits,
                              std::size_t workers, const RunTools& tools);

}  // namespace atalaya::stress
