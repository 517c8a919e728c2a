#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "telemetry/stats_table.h"

namespace atalaya::telemetry {

// How often each loop has to beat at least, and how old its heartbeat may grow before the server
// counts as hung.
inline constexpr std::chrono::milliseconds kHeartbeatEvery{500};
inline constexpr std::chrono::milliseconds kHungAfter{3000};

inline constexpr std::size_t kMaxStatsLoops = 256;
inline constexpr std::size_t kMaxStatsName = 63;  // Bytes of StatsWriterOptions::name.

struct StatsWriterOptions {
  std::filesystem::path path;  // "/dev/shm/atalaya-NAME.stats"
  std::string name;            // 1 to kMaxStatsName characters of [A-Za-z0-9_.-].
  std::size_t loops = 1;       // 1 to kMaxStatsLoops: one block each.
};

// One loop's block of the segment: the heartbeat and the loop's share of each figure.
// Threads: one writer per block; nothing here blocks, allocates or makes a system call.
class StatsLoop {
 public:
  // A gauge may go up in one loop and down in another: readers sum over the loops.
  void Add(Stat stat, std::int64_t delta = 1) {
    std::atomic_ref<std::uint64_t> word(values_[static_cast<std::size_t>(stat)]);
    word.store(word.load(std::memory_order_relaxed) + static_cast<std::uint64_t>(delta),
               std::memory_order_relaxed);
  }
  void Set(Stat stat, std::int64_t value) {
    std::atomic_ref<std::uint64_t>(values_[static_cast<std::size_t>(stat)])
        .store(static_cast<std::uint64_t>(value), std::memory_order_relaxed);
  }

  std::int64_t Get(Stat stat) const {  // The writer's own thread.
    return static_cast<std::int64_t>(
        std::atomic_ref<std::uint64_t>(values_[static_cast<std::size_t>(stat)])
            .load(std::memory_order_relaxed));
  }

  // Says that the loop turns; at least every kHeartbeatEvery, so an idle loop needs a timer.
  // `steady_ns` is CLOCK_MONOTONIC (EventLoop::turn_start_ns()).
  void Beat(std::int64_t steady_ns);

 private:
  friend class StatsWriter;
  StatsLoop(std::uint64_t* beat, std::uint64_t* values) : beat_(beat), values_(values) {}
  std::uint64_t* beat_;
  std::uint64_t* values_;
};

// Writes the stats segment of one server: a file in shared memory, mode 0640, created beside and
// renamed, never truncated, so that a reader that has it open sees the old segment whole. It stays
// after a clean stop, and then says `stopping`: that is how a planned stop and a crash differ
// afterwards.
// Threads: each StatsLoop by its own thread; MarkStopping by any.
class StatsWriter {
 public:
  // kBusy where a living process other than this one keeps its stats in that file, kInvalid on a
  // bad name or loop count, kIo where the file cannot be made (its space is reserved at once).
  static Result<std::unique_ptr<StatsWriter>> Create(const StatsWriterOptions& options);
  ~StatsWriter();
  StatsWriter(const StatsWriter&) = delete;
  StatsWriter& operator=(const StatsWriter&) = delete;

  // Valid as long as the writer. `index` is below `options.loops`. All heartbeats start at the
  // time of Create.
  StatsLoop& loop(std::size_t index) { return loops_[index]; }
  std::size_t loop_count() const { return loops_.size(); }

  // The first thing a clean stop does.
  void MarkStopping();

 private:
  StatsWriter(std::byte* memory, std::size_t bytes, std::size_t loops);
  std::byte* memory_;
  std::size_t bytes_;
  std::vector<StatsLoop> loops_;
};

struct StatsLoopSnapshot {
  std::uint64_t heartbeats = 0;
  std::int64_t heartbeat_ns = 0;  // CLOCK_MONOTONIC of the machine that wrote it.
  bool torn = false;  // The heartbeat was caught half written, each time: its writer stands still.
  std::vector<std::uint64_t> values;  // By Stat; kStatCount of them, 0 where an older writer knows
                                      // fewer.
};

// A copy of a segment at one time. The figures of one loop may be apart by the few that changed
// while it was copied.
struct StatsSnapshot {
  std::uint32_t version = 0;
  std::string name;
  std::int64_t pid = 0;
  std::uint64_t process_start_ticks = 0;  // Field 22 of /proc/PID/stat.
  std::string boot_id;
  std::int64_t start_time_ms = 0;  // UTC.
  bool stopping = false;
  std::vector<StatsLoopSnapshot> loops;  // At least one.

  // The sum over the loops. A gauge that was torn between loops may be below 0.
  std::int64_t Total(Stat stat) const;
};

// Reads the segment at `path` with pread; nothing in it is trusted, and nothing that a writer does
// to the file can crash or hang the reader. A heartbeat caught half written is read again, at most
// kStatsReadTries times in all. kNotFound where there is no such file, kVersion where a newer
// program wrote it, kInvalid where it is no segment, kIo otherwise.
// Threads: any. Blocks for memory copies only.
inline constexpr int kStatsReadTries = 8;
Result<StatsSnapshot> ReadStats(const std::filesystem::path& path);

// The same from bytes in memory, once; `place` begins the messages.
Result<StatsSnapshot> ParseStats(std::span<const std::byte> bytes, const std::string& place);

}  // namespace atalaya::telemetry
