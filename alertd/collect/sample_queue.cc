#include "alertd/collect/sample_queue.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/log.h"

namespace atalaya::alertd {

SampleBatch EndOf(std::initializer_list<std::shared_ptr<telemetry::Series>> series,
                  std::int64_t time_ms) {
  SampleBatch batch;
  for (const auto& one : series)
    batch.samples.push_back({one, {time_ms, telemetry::StaleMarker()}});
  return batch;
}

SampleQueue::SampleQueue(Append append, WhenDurable when_durable, OnEvent on_event)
    : append_(std::move(append)),
      when_durable_(std::move(when_durable)),
      on_event_(std::move(on_event)),
      thread_([this] { Run(); }) {}

SampleQueue::~SampleQueue() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

void SampleQueue::Push(SampleBatch batch) {
  bool wake = false;
  {
    const std::lock_guard lock(mutex_);
    if (batches_.size() >= kMaxQueuedBatches) DropOne();
    event_ = event_ || batch.event_ns != 0;
    waiting_samples_ += batch.samples.size();
    batches_.push_back(std::move(batch));
    wake = batches_.size() == 1 || !MayWait();
  }
  if (wake) changed_.notify_one();
}

std::size_t SampleQueue::queued_batches() const {
  const std::lock_guard lock(mutex_);
  return batches_.size();
}

void SampleQueue::DropOne() {
  const auto worth = [](const SampleBatch& batch) {
    return (batch.durable ? 2 : 0) + (batch.event_ns != 0 ? 1 : 0);
  };
  const auto victim = std::min_element(
      batches_.begin(), batches_.end(),
      [&](const SampleBatch& a, const SampleBatch& b) { return worth(a) < worth(b); });
  waiting_samples_ -= victim->samples.size();
  batches_.erase(victim);
  if (dropped_++ == 0)
    LogWarning("samples arrive faster than the history takes them; the oldest are dropped");
}

void SampleQueue::Run() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [&] { return stopping_ || !batches_.empty(); });
    if (batches_.empty()) return;
    changed_.wait_for(lock, kGatherTime, [&] { return !MayWait(); });
    std::vector<SampleBatch> batches = TakeSome();
    lock.unlock();
    AppendTogether(std::move(batches));
    lock.lock();
  }
}

// Under the lock.
bool SampleQueue::MayWait() const {
  return !stopping_ && !event_ && waiting_samples_ < kMaxAppendSamples;
}

// Under the lock.
std::vector<SampleBatch> SampleQueue::TakeSome() {
  std::vector<SampleBatch> some;
  for (std::size_t samples = 0; !batches_.empty() && samples < kMaxAppendSamples;) {
    samples += batches_.front().samples.size();
    some.push_back(std::move(batches_.front()));
    batches_.pop_front();
    waiting_samples_ -= some.back().samples.size();
  }
  event_ = event_ && !batches_.empty();
  return some;
}

void SampleQueue::AppendTogether(std::vector<SampleBatch> batches) {
  std::vector<telemetry::SeriesSample>& samples = batches.front().samples;
  for (std::size_t i = 1; i < batches.size(); ++i) {
    samples.insert(samples.end(), std::make_move_iterator(batches[i].samples.begin()),
                   std::make_move_iterator(batches[i].samples.end()));
  }
  const Status saved = append_(samples);
  samples_ += samples.size();
  for (SampleBatch& batch : batches) {
    if (batch.event_ns != 0) on_event_(batch.event_ns);
    if (batch.saved) saved_.push_back(std::move(batch.saved));
    if (batch.durable) durable_.push_back(std::move(batch.durable));
  }
  if (saved.has_value() != saving_) {
    saving_ = saved.has_value();
    if (saving_) {
      LogInfo("the history saves again");
    } else {
      LogWarning("the history keeps samples in memory only: {}", saved.error().message);
    }
  }
  if (saving_) TellSaved();
}

void SampleQueue::TellSaved() {
  for (const auto& done : saved_) done();
  saved_.clear();
  if (durable_.empty()) return;
  when_durable_([covered = std::exchange(durable_, {})] {
    for (const auto& done : covered) done();
  });
}

}  // namespace atalaya::alertd
