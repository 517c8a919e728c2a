#pragma once

#include <atomic>
#include <cstdint>
#include <limits>
#include <map>
#include <mutex>
#include <optional>
#include <vector>

#include "stress/figures.h"

namespace atalaya::stress {

inline constexpr std::int64_t kIntervalNs = 1'000'000'000;

// Gathers the workers' seconds. Interval i covers the load from i seconds on; the one after the
// last holds the drain. Threads: any.
class IntervalBoard {
 public:
  explicit IntervalBoard(std::size_t workers) : next_(workers, 0) {}

  // Adds what `worker` did in its next interval.
  void Put(std::size_t worker, const IntervalFigures& figures);

  // `worker` will put no more.
  void Leave(std::size_t worker);

  // The next interval in order that every worker has put (or left); none where it is still under
  // way.
  std::optional<IntervalFigures> TakeNext();

 private:
  static constexpr std::size_t kLeft = std::numeric_limits<std::size_t>::max();

  std::mutex mutex_;
  std::vector<std::size_t> next_;  // By worker: the interval it will put next.
  std::size_t taken_ = 0;
  std::map<std::size_t, IntervalFigures> open_;
};

// What every worker is told to do during the load.
enum class Command {
  kOpenFaultWindow,  // What is sent from about now on may be lost.
  kCloseFaultWindow,
  kResetAll,  // Ends every connection as a crash would.
  kSendAway,  // The subscribers leave ...
  kCallBack,  // ... and come back.
};

// Commands in order; each worker reads them all. Threads: any.
class CommandList {
 public:
  void Add(Command command);
  std::size_t size() const { return size_.load(); }
  Command At(std::size_t index) const;

 private:
  mutable std::mutex mutex_;
  std::vector<Command> commands_;
  std::atomic<std::size_t> size_{0};
};

// What the run and its workers tell each other. Times are of the steady clock.
struct RunControl {
  explicit RunControl(std::size_t workers) : board(workers) {}

  std::atomic<std::size_t> decided{0};    // Workers whose connections are all ready or failed.
  std::atomic<std::int64_t> start_ns{0};  // When the load starts; 0: not yet said.
  std::atomic<std::int64_t> stop_ns{0};   // When the run was interrupted; 0: it was not.
  std::atomic<std::int64_t> ready_connections{0};  // Now.
  std::atomic<std::uint64_t> failed_connections{0};
  std::atomic<std::size_t> loads_ended{0};            // Workers that send no more.
  std::atomic<std::uint64_t> expected_deliveries{0};  // Of theirs.
  std::atomic<std::uint64_t> received_deliveries{0};
  std::atomic<std::size_t> ended{0};  // Workers that are done with the drain.
  IntervalBoard board;
  CommandList commands;
};

}  // namespace atalaya::stress
