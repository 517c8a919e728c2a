#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace atalaya::history {

inline constexpr std::int64_t kSyncIntervalMs = 1000;  // The aim for what a power loss takes.
inline constexpr std::int64_t kAwaitedSyncMs = 20;     // Where somebody waits for it.
inline constexpr std::int64_t kCheckpointLogBytes = 4
                                                    << 20;  // A longer log is moved into the file.

// Makes what was written durable, and keeps the write-ahead log short, on a thread of its own, so
// that no writer waits for the disk. Failures are said once per change of state.
class Syncer {
 public:
  explicit Syncer(std::string path);  // Of the database file.
  ~Syncer();
  Syncer(const Syncer&) = delete;
  Syncer& operator=(const Syncer&) = delete;

  void Written();  // Something was committed. Threads: any. Never blocks on the disk.

  // Calls `done`, on the syncer's thread, after the next sync that goes well; not at all where the
  // syncer ends before. Threads: any.
  void WhenSynced(std::function<void()> done);

 private:
  void Run();
  bool SyncLog();

  const std::string path_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool dirty_ = false;
  std::vector<std::function<void()>> waiting_;  // For a sync that has not begun.
  bool stopping_ = false;
  bool working_ = true;  // The last sync went well. Own thread only.
  std::thread thread_;
};

}  // namespace atalaya::history
