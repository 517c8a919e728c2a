#pragma once

#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>
#include <queue>
#include <stop_token>
#include <thread>
#include <vector>

namespace atalaya::alertd {

// A few threads for deliveries that block. Its queue is bounded by its users: each receiver has one
// delivery under way. Threads: Run from any.
class WorkerPool {
 public:
  explicit WorkerPool(std::size_t threads);

  // Tells tasks under way to stop and waits for them; those that have not begun are not run.
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  // Never blocks. The task's token says when to stop early.
  void Run(std::function<void(const std::stop_token&)> task);

 private:
  void Work();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::queue<std::function<void(const std::stop_token&)>> tasks_;
  std::stop_source stopping_;
  std::vector<std::thread> threads_;
};

}  // namespace atalaya::alertd
