#pragma once

#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>
#include <queue>
#include <thread>
#include <vector>

namespace atalaya::alertd {

// A few threads for deliveries that block. Its queue is bounded by its users: each receiver has one
// delivery under way. Threads: Run from any.
class WorkerPool {
 public:
  explicit WorkerPool(std::size_t threads);

  // Waits for tasks under way; those that have not begun are not run.
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  void Run(std::function<void()> task);  // Never blocks.

 private:
  void Work();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::queue<std::function<void()>> tasks_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace atalaya::alertd
