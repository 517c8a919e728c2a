#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "base/result.h"
#include "telemetry/sample.h"

namespace atalaya::alertd {

// Samples on their way to the history.
struct SampleBatch {
  std::vector<telemetry::LabelledSample> samples;
  std::int64_t event_ns = 0;    // Steady clock: rules shall look at once; 0: they need not.
  std::function<void()> saved;  // May be empty. Called once the samples are saved, on the queue's
                                // thread; never for a batch that was dropped.
};

// The bounded queue between those who look and the history, with the one thread that appends.
//
// Where the history cannot save, it keeps the samples in memory, so rules see them all the same;
// `saved` of such batches follows the next append that goes well.
// Threads: any. Push never blocks.
class SampleQueue {
 public:
  using Append = std::function<Status(const std::vector<telemetry::LabelledSample>&)>;
  using OnEvent = std::function<void(std::int64_t event_ns)>;

  SampleQueue(Append append, OnEvent on_event);
  ~SampleQueue();  // Appends what is there first.
  SampleQueue(const SampleQueue&) = delete;
  SampleQueue& operator=(const SampleQueue&) = delete;

  // Over kMaxQueuedBatches the oldest batch that no event stands behind is dropped, and counted.
  void Push(SampleBatch batch);

  std::uint64_t samples() const { return samples_; }  // Appended since the start.
  std::uint64_t dropped_batches() const { return dropped_; }

 private:
  void Run();
  void AppendBatch(SampleBatch batch);
  void DropOne();

  const Append append_;
  const OnEvent on_event_;
  std::atomic<std::uint64_t> samples_{0};
  std::atomic<std::uint64_t> dropped_{0};
  bool saving_ = true;                               // Of the thread's alone.
  std::vector<std::function<void()>> unsaved_done_;  // Of the thread's alone.
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<SampleBatch> batches_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace atalaya::alertd
