#include "alertd/collect/sample_queue.h"

#include <gtest/gtest.h>

#include <future>
#include <optional>

namespace atalaya::alertd {
namespace {

constexpr std::chrono::seconds kAppendDeadline{30};

// A queue whose first append lasts until Release.
class SampleQueueTest : public testing::Test {
 protected:
  SampleQueueTest() {
    queue_.emplace(
        [this](std::span<const telemetry::SeriesSample>) -> Status {
          if (!held_) {
            held_ = true;
            begun_.set_value();
            released_.get_future().wait_for(kAppendDeadline);
          }
          return {};
        },
        [](const std::function<void()>& done) { done(); },
        [this](std::int64_t event_ns) { events_.push_back(event_ns); });
    queue_->Push({});
    begun_.get_future().wait_for(kAppendDeadline);
  }

  SampleBatch Acknowledged(int packet) {
    SampleBatch batch;
    batch.durable = [this, packet] { acknowledged_.push_back(packet); };
    return batch;
  }
  static SampleBatch Event(std::int64_t event_ns) {
    SampleBatch batch;
    batch.event_ns = event_ns;
    return batch;
  }
  void Fill(std::size_t batches) {
    for (std::size_t i = 0; i < batches; ++i) queue_->Push({});
  }
  void Finish() {
    released_.set_value();
    queue_.reset();  // Appends what is there.
  }

  bool held_ = false;
  std::promise<void> begun_, released_;
  std::vector<int> acknowledged_;
  std::vector<std::int64_t> events_;
  std::optional<SampleQueue> queue_;
};

TEST_F(SampleQueueTest, KeepsWhatWaitsForItsAcknowledgement) {
  queue_->Push(Acknowledged(1));
  queue_->Push(Event(7));
  Fill(2 * kMaxQueuedBatches);
  EXPECT_EQ(queue_->queued_batches(), kMaxQueuedBatches);
  EXPECT_EQ(queue_->dropped_batches(), kMaxQueuedBatches + 2);
  Finish();
  EXPECT_EQ(acknowledged_, std::vector<int>{1});
  EXPECT_EQ(events_, std::vector<std::int64_t>{7});
}

TEST_F(SampleQueueTest, DropsAnEventBeforeIt) {
  for (std::size_t i = 0; i + 1 < kMaxQueuedBatches; ++i) queue_->Push(Event(1));
  queue_->Push(Acknowledged(1));
  queue_->Push(Acknowledged(2));
  EXPECT_EQ(queue_->dropped_batches(), 1u);
  Finish();
  EXPECT_EQ(acknowledged_, (std::vector<int>{1, 2}));
  EXPECT_EQ(events_.size(), kMaxQueuedBatches - 2);
}

TEST_F(SampleQueueTest, IsBoundedEvenSo) {
  for (std::size_t i = 0; i <= kMaxQueuedBatches; ++i)
    queue_->Push(Acknowledged(static_cast<int>(i)));
  EXPECT_EQ(queue_->queued_batches(), kMaxQueuedBatches);
  Finish();
  ASSERT_EQ(acknowledged_.size(), kMaxQueuedBatches);
  EXPECT_EQ(acknowledged_.front(), 1);
}

}  // namespace
}  // namespace atalaya::alertd
