#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>

#include "base/unique_fd.h"

namespace atalaya::exporter {

// Work that one thread at a time carries on, turn by turn. A thread that gets stuck in a step of it
// (a dead mount) is left behind, and a fresh one carries on; while nothing is stuck, no thread is
// ever waited for or woken.
//
// Threads: `turn` and `overdue` never run at the same time as each other.
class Baton : public std::enable_shared_from_this<Baton> {
 public:
  struct Work {
    std::function<void()> turn;     // Runs over and over, until Stop.
    std::function<void()> overdue;  // A step did not end in time; its thread is left behind.
  };

  static std::shared_ptr<Baton> Create();

  // Starts the first thread. `work` is kept as long as a thread may still run it.
  void Start(Work work);

  // Ends after the running turn, for which it waits at most `patience`; `wake_up` makes a turn that
  // waits for events return. Afterwards `work` is let go.
  void Stop(std::chrono::milliseconds patience, const std::function<void()>& wake_up);
  bool stopping() const { return stopping_.load(std::memory_order_relaxed); }

  // The rest is for the thread inside `turn`.

  // Steps are watched from now on: one that takes longer than `step_limit` is overdue.
  void Watch(std::chrono::nanoseconds step_limit);
  void EndWatch();

  // Runs `step`. False where that took too long: this thread has been left behind, and has to
  // return from `turn` at once; between Try and that it may still look at what it owns.
  bool Try(const std::function<void()>& step);

  ~Baton();

 private:
  Baton();
  void Carry(std::uint64_t id);
  void StandBy();
  void SetTimer(std::chrono::nanoseconds after);
  void StartThread();

  UniqueFd timer_;
  std::atomic<bool> stopping_ = false;
  std::timed_mutex mutex_;  // Held by the thread that carries on, but for the time of a step.
  Work work_;
  std::uint64_t holder_ = 0;                // Which thread that is.
  std::int64_t step_since_ns_ = 0;          // 0: between steps.
  std::chrono::nanoseconds step_limit_{0};  // 0: not watched.
  std::condition_variable_any ended_;
  bool carrying_ = false;
};

}  // namespace atalaya::exporter
