#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace atalaya::history {

inline constexpr std::int64_t kAwaitedSyncMs = 20;  // Where somebody waits for it.
inline constexpr std::int64_t kCheckpointLogBytes = 4
                                                    << 20;  // A longer log is moved into the file.

// Makes what was written durable, and keeps the write-ahead log short, on a thread of its own, so
// that a writer waits for the disk only where that comes too late (kMaxUnsyncedMs of
// history/store.h). Failures are said once per change of state.
class Syncer {
 public:
  // `path`: of the database file. `sync_after_ms`: how long what is written waits for more.
  Syncer(std::string path, std::int64_t sync_after_ms);
  ~Syncer();
  Syncer(const Syncer&) = delete;
  Syncer& operator=(const Syncer&) = delete;

  // Something was committed. Syncs it itself where something has waited for longer than
  // kMaxUnsyncedMs, unless syncs fail now. Threads: any.
  void Written();

  // Calls `done`, on the syncer's thread, after the next sync that goes well; not at all where the
  // syncer ends before. Threads: any.
  void WhenSynced(std::function<void()> done);

 private:
  void Run();
  bool Overdue();
  bool SyncAndCheckpoint();
  Result<std::int64_t> Sync();  // The log's bytes. Holding `sync_mutex_`.

  const std::string path_;
  const std::int64_t sync_after_ms_;
  std::mutex sync_mutex_;  // Taken before `mutex_`.
  std::mutex mutex_;
  std::condition_variable wake_;
  // The oldest commit that no sync covers, or that only the one under way does; steady clock, 0:
  // there is none. At first a run before may have left some.
  std::int64_t unsynced_since_ns_ = SystemClock().SteadyNs();
  std::int64_t syncing_since_ns_ = 0;
  std::vector<std::function<void()>> waiting_;  // For a sync that has not begun.
  bool stopping_ = false;
  bool working_ = true;   // The last sync went well.
  bool failing_ = false;  // The last turn of the thread did not. Own thread only.
  std::thread thread_;
};

}  // namespace atalaya::history
