#include "alertd/notify/worker_pool.h"

#include <utility>

namespace atalaya::alertd {

WorkerPool::WorkerPool(std::size_t threads) {
  for (std::size_t i = 0; i < threads; ++i) threads_.emplace_back([this] { Work(); });
}

WorkerPool::~WorkerPool() {
  {
    const std::lock_guard lock(mutex_);
    stopping_.request_stop();
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void WorkerPool::Run(std::function<void(const std::stop_token&)> task) {
  {
    const std::lock_guard lock(mutex_);
    tasks_.push(std::move(task));
  }
  changed_.notify_one();
}

void WorkerPool::Work() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return stopping_.stop_requested() || !tasks_.empty(); });
    if (stopping_.stop_requested()) return;
    const std::function<void(const std::stop_token&)> task = std::move(tasks_.front());
    tasks_.pop();
    lock.unlock();
    task(stopping_.get_token());
    lock.lock();
  }
}

}  // namespace atalaya::alertd
