#include "base/task_pool.h"

namespace atalaya {

TaskPool::~TaskPool() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    wake_.notify_all();
  }
  for (std::thread& thread : threads_) thread.join();
}

void TaskPool::Run(const std::function<void()>& task) {
  Task waiting{.run = &task, .ended = {}};
  std::unique_lock lock(mutex_);
  waiting_.push_back(&waiting);
  if (idle_ < waiting_.size() && threads_.size() < max_threads_) {
    threads_.emplace_back([this] { Work(); });
  } else {
    wake_.notify_one();
  }
  waiting.ended.wait(lock, [&] { return waiting.done; });
}

void TaskPool::Work() {
  std::unique_lock lock(mutex_);
  while (true) {
    ++idle_;
    wake_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
    --idle_;
    if (stopping_) return;
    Task* task = waiting_.front();
    waiting_.pop_front();
    lock.unlock();
    (*task->run)();
    lock.lock();
    task->done = true;
    task->ended.notify_one();  // Under the lock: the caller may destroy it at once.
  }
}

}  // namespace atalaya
