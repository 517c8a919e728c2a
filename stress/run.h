#pragma once

#include "base/result.h"
#include "base/stop_signal.h"
#include "stress/progress.h"
#include "stress/run_record.h"
#include "stress/server_watch.h"

namespace atalaya::stress {

// Runs `scenario` on `workers` threads: connects, loads, drains. A target that refuses, resets,
// hangs or dies is no error here but a part of the record. SIGINT or SIGTERM ends the load early;
// the record then holds what was measured. The record's environment is left empty. Blocks for the
// run. kNotFound where the target's name has no address, kIo where the kernel gives no epoll.
Result<RunRecord> RunScenario(const Scenario& scenario, const RunLimits& limits,
                              std::size_t workers, ServerWatch* server, Progress* progress,
                              StopSignal* stop);

}  // namespace atalaya::stress
