#include "alertd/collect/sample_queue.h"

#include <algorithm>

#include "alertd/collect/collector.h"
#include "base/log.h"

namespace atalaya::alertd {

SampleQueue::SampleQueue(Append append, OnEvent on_event)
    : append_(std::move(append)), on_event_(std::move(on_event)), thread_([this] { Run(); }) {}

SampleQueue::~SampleQueue() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

void SampleQueue::Push(SampleBatch batch) {
  {
    const std::lock_guard lock(mutex_);
    if (batches_.size() >= kMaxQueuedBatches) DropOne();
    batches_.push_back(std::move(batch));
  }
  changed_.notify_one();
}

void SampleQueue::DropOne() {
  auto victim = std::find_if(batches_.begin(), batches_.end(),
                             [](const SampleBatch& batch) { return batch.event_ns == 0; });
  if (victim == batches_.end()) victim = batches_.begin();
  batches_.erase(victim);
  if (dropped_++ == 0)
    LogWarning("samples arrive faster than the history takes them; the oldest are dropped");
}

void SampleQueue::Run() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [&] { return stopping_ || !batches_.empty(); });
    if (batches_.empty()) return;
    SampleBatch batch = std::move(batches_.front());
    batches_.pop_front();
    lock.unlock();
    AppendBatch(std::move(batch));
    lock.lock();
  }
}

void SampleQueue::AppendBatch(SampleBatch batch) {
  const Status saved = append_(batch.samples);
  samples_ += batch.samples.size();
  if (batch.event_ns != 0) on_event_(batch.event_ns);
  if (saved.has_value() != saving_) {
    saving_ = saved.has_value();
    if (saving_) {
      LogInfo("the history saves again");
    } else {
      LogWarning("the history keeps samples in memory only: {}", saved.error().message);
    }
  }
  if (batch.saved) unsaved_done_.push_back(std::move(batch.saved));
  if (!saving_) return;
  for (const auto& done : unsaved_done_) done();
  unsaved_done_.clear();
}

}  // namespace atalaya::alertd
