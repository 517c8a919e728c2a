#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <initializer_list>
#include <memory>
#include <mutex>
#include <span>
#include <thread>
#include <vector>

#include "base/result.h"
#include "telemetry/series.h"

namespace atalaya::alertd {

// Batches that wait for the history; further ones are dropped and counted.
inline constexpr std::size_t kMaxQueuedBatches = 4'096;

// Batches wait for so long for others that come, and are appended with them, up to about so many
// samples: an append costs as much as hundreds of samples. A batch with an event does not wait.
inline constexpr std::chrono::milliseconds kGatherTime{100};
inline constexpr std::size_t kMaxAppendSamples = 20'000;

// Samples on their way to the history. The functions may be empty; they are called on the queue's
// thread or the history's, and never for a batch that was dropped.
struct SampleBatch {
  std::vector<telemetry::SeriesSample> samples;
  std::int64_t event_ns = 0;      // Steady clock: rules shall look at once; 0: they need not.
  std::function<void()> saved;    // The samples outlive this process.
  std::function<void()> durable;  // They outlive a loss of power.
};

// Stale markers for series that are written no more.
SampleBatch EndOf(std::initializer_list<std::shared_ptr<telemetry::Series>> series,
                  std::int64_t time_ms);

// The bounded queue between those who look and the history, with the one thread that appends.
//
// Where the history cannot save, it keeps the samples in memory, so rules see them all the same;
// `saved` and `durable` of such batches follow the next append that goes well.
// Threads: any. Push never blocks.
class SampleQueue {
 public:
  using Append = std::function<Status(std::span<const telemetry::SeriesSample>)>;
  using WhenDurable = std::function<void(std::function<void()> done)>;
  using OnEvent = std::function<void(std::int64_t event_ns)>;

  SampleQueue(Append append, WhenDurable when_durable, OnEvent on_event);
  ~SampleQueue();  // Appends what is there first.
  SampleQueue(const SampleQueue&) = delete;
  SampleQueue& operator=(const SampleQueue&) = delete;

  // Over kMaxQueuedBatches the oldest batch is dropped, and counted: of those that have neither
  // `durable` nor an event; where there is none, of those without `durable`. What waits for
  // `durable` is dropped last, as its sender would wait for the acknowledgement until its next
  // connection: a server sends no more than it may before one (cloud_client::kReceiveMaximum),
  // which is less than the queue holds.
  void Push(SampleBatch batch);

  std::uint64_t samples() const { return samples_; }  // Appended since the start.
  std::uint64_t dropped_batches() const { return dropped_; }
  std::size_t queued_batches() const;

 private:
  void Run();
  bool MayWait() const;
  std::vector<SampleBatch> TakeSome();
  void AppendTogether(std::vector<SampleBatch> batches);
  void TellSaved();
  void DropOne();

  const Append append_;
  const WhenDurable when_durable_;
  const OnEvent on_event_;
  std::atomic<std::uint64_t> samples_{0};
  std::atomic<std::uint64_t> dropped_{0};
  // Of the thread's alone.
  bool saving_ = true;
  std::vector<std::function<void()>> saved_, durable_;  // To be called once it saves.

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<SampleBatch> batches_;
  std::size_t waiting_samples_ = 0;
  bool event_ = false;  // A batch with one waits.
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace atalaya::alertd
