#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <thread>

#include "base/journal.h"
#include "cloud_server/durable_log.h"
#include "cloud_server/retained.h"

namespace atalaya::cloud_server {

// The journal is compacted once it is at least this large, and three times what was live the last
// time.
inline constexpr std::uint64_t kCompactFromBytes = 64u << 20;
inline constexpr std::uint64_t kCompactAtGrowth = 3;

// What one loop writes of its sessions' images in one turn, about; and the retained messages'
// writer before it waits for the disk.
inline constexpr std::size_t kImageBytesPerTurn = 256u << 10;

// Writes all live state anew behind what the journal holds, while the server serves, and gives up
// the old records. Each loop writes the images of its own sessions, a thread of its own the
// retained messages. docs/ARCHITECTURE.md says why that is whole.
// Threads: loop 0's, but for those that say otherwise.
class Compaction {
 public:
  ~Compaction() { Stop(); }

  bool IsDue(const Journal& journal) const;
  std::uint64_t count() const { return count_; }  // Of those that have ended.

  // Begins: what the journal holds by now will be given up. `all_done` is called, on some thread,
  // once each of the `loops` has called Done and the retained messages are written.
  void Begin(DurableLog* log, const RetainedStore* retained, std::size_t loops,
             std::function<void()> all_done);
  std::uint64_t id_floor() const {
    return id_floor_;
  }             // Any thread; messages from this id on were
                // recorded after Begin.
  void Done();  // Any thread.

  // After `all_done`: the images are durable.
  void End(DurableLog* log);

  void Stop();  // Ends the thread.

 private:
  void WriteRetained(const RetainedStore& retained, Journal* journal);

  bool is_running_ = false;
  std::uint64_t count_ = 0;
  JournalPosition old_until_ = 0;
  std::uint64_t written_before_ = 0;
  std::uint64_t live_bytes_ = 0;  // Of the last compaction.
  std::atomic<std::uint64_t> id_floor_{0};
  std::atomic<std::size_t> left_{0};
  std::function<void()> all_done_;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace atalaya::cloud_server
