#include "alertd/collect/probe/side_threads.h"

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

namespace atalaya::alertd {

// Owned by the threads as well, which may be stuck for longer than their owner lives.
struct SideThreads::State {
  explicit State(EventLoop& with_loop) : loop(&with_loop) {}
  void Work();

  std::mutex mutex;
  std::condition_variable wake;
  EventLoop* loop;  // Null once the owner is gone.
  std::deque<std::function<std::function<void()>()>> waiting;
  std::size_t threads = 0, idle = 0;
};

void SideThreads::State::Work() {
  std::unique_lock lock(mutex);
  while (true) {
    ++idle;
    wake.wait(lock, [this] { return loop == nullptr || !waiting.empty(); });
    --idle;
    if (loop == nullptr) return;
    const auto work = std::move(waiting.front());
    waiting.pop_front();
    lock.unlock();
    std::function<void()> then = work();
    lock.lock();
    if (loop != nullptr) loop->Post(std::move(then));
  }
}

SideThreads::SideThreads(EventLoop& loop) : state_(std::make_shared<State>(loop)) {}

SideThreads::~SideThreads() {
  const std::lock_guard lock(state_->mutex);
  state_->loop = nullptr;
  state_->waiting.clear();
  state_->wake.notify_all();
}

void SideThreads::Run(std::function<std::function<void()>()> work) {
  const std::lock_guard lock(state_->mutex);
  state_->waiting.push_back(std::move(work));
  if (state_->idle < state_->waiting.size() && state_->threads < kMaxSideThreads) {
    ++state_->threads;
    std::thread([state = state_] { state->Work(); }).detach();
  }
  state_->wake.notify_one();
}

}  // namespace atalaya::alertd
