#pragma once

#include <memory>
#include <vector>

#include "alertd/collect/collect_config.h"
#include "alertd/collect/sample_queue.h"
#include "alertd/collect/target_board.h"
#include "base/clock.h"
#include "base/result.h"

namespace atalaya::alertd {

// For so long after a planned stop `process_watch_stop_planned` is 1; the same for a process that
// was not there yet when the watch began.
inline constexpr std::chrono::seconds kPlannedStopGrace{60};
inline constexpr std::chrono::seconds kProcessRefresh{5};

// Watches processes of this machine: their end through a pidfd, their (re)start through inotify on
// the file that names them; both are events that rules see at once. Yields process_watch_up and
// process_watch_stop_planned with the label `process`, at each change and every kProcessRefresh.
//
// An exit is planned where the stats segment says `stopping`, or where the pid file is gone.
// One thread of its own, from Create to the destructor. pidfd_open: Linux 5.3.
class ProcessWatcher {
 public:
  // `board`, `queue` and `clock` outlive it. Adds a target per watch. kIo where the kernel gives no
  // inotify descriptor.
  static Result<std::unique_ptr<ProcessWatcher>> Create(const std::vector<ProcessConfig>& processes,
                                                        TargetBoard& board, SampleQueue& queue,
                                                        const Clock& clock);
  ~ProcessWatcher();

  // They are watched no more: stops, takes them off the board, and ends their series.
  void End();
  ProcessWatcher(const ProcessWatcher&) = delete;
  ProcessWatcher& operator=(const ProcessWatcher&) = delete;

 private:
  struct Impl;
  explicit ProcessWatcher(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace atalaya::alertd
