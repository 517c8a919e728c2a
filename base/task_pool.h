#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace atalaya {

// Lends threads with a stack of the usual size to callers that have a small one, as those of
// CivetWeb have (100 KiB in Debian's build). Threads are started when none is idle, up to a limit;
// beyond it, callers wait their turn.
// Threads: any.
class TaskPool {
 public:
  explicit TaskPool(std::size_t max_threads) : max_threads_(max_threads) {}
  ~TaskPool();  // No Run may be under way.
  TaskPool(const TaskPool&) = delete;
  TaskPool& operator=(const TaskPool&) = delete;

  // Calls `task` on a thread of the pool and returns when it has ended.
  void Run(const std::function<void()>& task);

 private:
  struct Task {
    const std::function<void()>* run;
    bool done = false;
    std::condition_variable ended;
  };

  void Work();

  const std::size_t max_threads_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Task*> waiting_;
  std::size_t idle_ = 0;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace atalaya
