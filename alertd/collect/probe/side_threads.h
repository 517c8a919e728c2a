#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <utility>

#include "base/event_loop.h"

namespace atalaya::alertd {

// Of one SideThreads; further work waits for a free one.
inline constexpr std::size_t kMaxSideThreads = 64;

// Does what may block, as looking up a name or a file, beside a loop. Threads are started when none
// is idle. Threads: that of the loop.
class SideThreads {
 public:
  explicit SideThreads(EventLoop& loop);  // `loop` must outlive it.
  // Does not wait for work that is stuck: it ends by itself, and its result goes nowhere.
  ~SideThreads();
  SideThreads(const SideThreads&) = delete;
  SideThreads& operator=(const SideThreads&) = delete;

  // Calls `work` on a side thread, then what it returned on the loop's. `work` must own all that it
  // needs.
  void Run(std::function<std::function<void()>()> work);

 private:
  struct State;
  const std::shared_ptr<State> state_;
};

// One piece of such work at a time for one caller, however long it is stuck: who begins anew
// meanwhile gets the answer to the new question, once the old one was answered.
template <typename T>
class SideCall {
 public:
  explicit SideCall(SideThreads& threads) : threads_(threads) {}  // It must not outlive this.

  // Calls `done` with what `work` returned.
  void Begin(std::function<T()> work, std::function<void(T)> done) {
    wanted_ = std::move(work);
    done_ = std::move(done);
    if (!running_) Start();
  }
  void Cancel() { wanted_ = nullptr, done_ = nullptr; }

 private:
  void Start() {
    running_ = true;
    threads_.Run([this, work = std::exchange(wanted_, nullptr)] {
      return [this, result = std::make_shared<T>(work())] {
        running_ = false;
        if (wanted_) return Start();
        if (const auto done = std::exchange(done_, nullptr)) done(std::move(*result));
      };
    });
  }

  SideThreads& threads_;
  bool running_ = false;
  std::function<T()> wanted_;  // To be done once the present one has ended.
  std::function<void(T)> done_;
};

}  // namespace atalaya::alertd
