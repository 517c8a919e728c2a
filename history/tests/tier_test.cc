#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>

#include "history/bucket.h"
#include "history/database.h"
#include "history/store.h"

namespace atalaya::history {
namespace {

using telemetry::Column;
using telemetry::LabelledSample;
using telemetry::Labels;
using telemetry::Sample;
using testing::IsEmpty;
using testing::SizeIs;

constexpr std::int64_t kFarMs = std::int64_t{1} << 41;

std::vector<Bucket> Build(std::int64_t width_ms, const std::vector<Sample>& samples,
                          std::optional<Sample> before = {}) {
  BucketBuilder builder(width_ms, before);
  for (const Sample& sample : samples) builder.Add(sample);
  return builder.Take();
}

TEST(Bucket, SumsUpWhatFallsIntoItOpenOnTheLeft) {
  const auto buckets = Build(1000, {{1, 2}, {500, 0.1}, {1000, 0.2}, {1001, 7}});
  ASSERT_THAT(buckets, SizeIs(2));
  EXPECT_EQ(buckets[0].end_ms, 1000);
  EXPECT_EQ(buckets[0].least, 0.1);
  EXPECT_EQ(buckets[0].most, 2);
  EXPECT_EQ(buckets[0].sum, 2.3);
  EXPECT_EQ(buckets[0].count, 3);
  EXPECT_EQ(buckets[0].last, 0.2);
  EXPECT_EQ(buckets[1].end_ms, 2000);
  EXPECT_EQ(buckets[1].count, 1);
}

TEST(Bucket, IncreaseHasTheGapBeforeItAndResets) {
  const auto buckets = Build(
      1000, {{100, 15}, {900, 3}, {1100, telemetry::StaleMarker()}, {3500, 10}}, Sample{-5, 10});
  ASSERT_THAT(buckets, SizeIs(3));
  EXPECT_EQ(buckets[0].increase, 5 + 3);
  EXPECT_EQ(buckets[1].count, 0);
  EXPECT_TRUE(telemetry::IsStaleMarker(buckets[1].last));
  EXPECT_TRUE(telemetry::IsStaleMarker(buckets[1].sum));
  EXPECT_EQ(buckets[2].increase, 7);
  // Nothing came before the first: no increase is known.
  EXPECT_TRUE(telemetry::IsStaleMarker(Build(1000, {{100, 15}})[0].increase));
  EXPECT_EQ(Build(1000, {{100, 15}, {200, 16}})[0].increase, 1);
}

TEST(Bucket, PackedColumnsComeBack) {
  std::vector<Sample> samples;
  for (int i = 0; i < 900; ++i) samples.push_back({i * 5000, std::floor(i * 1.7) / 10 + i % 3});
  samples.push_back({4'600'000, telemetry::StaleMarker()});
  const auto buckets = Build(kMinuteMs, samples);
  const std::string bytes = EncodeBuckets(buckets, kMinuteMs);
  std::vector<Bucket> back;
  ASSERT_TRUE(DecodeBuckets(bytes, kMinuteMs, back));
  ASSERT_EQ(back.size(), buckets.size());
  for (std::size_t i = 0; i + 1 < back.size(); ++i) EXPECT_EQ(back[i].sum, buckets[i].sum) << i;
  for (const Column column : {Column::kLeast, Column::kMost, Column::kSum, Column::kCount,
                              Column::kLast, Column::kIncrease}) {
    std::vector<Sample> one;
    std::vector<Sample> other;
    ASSERT_TRUE(DecodeColumn(bytes, kMinuteMs, column, one));
    AppendColumn(buckets, column, other);
    EXPECT_EQ(one.size(), other.size());
    EXPECT_GE(one.size(), 75u);
  }
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    back.clear();
    EXPECT_FALSE(DecodeBuckets(std::string_view(bytes).substr(0, size), kMinuteMs, back));
    EXPECT_THAT(back, IsEmpty());
  }
}

class TierStoreTest : public testing::Test {
 protected:
  TierStoreTest() {
    folder_ = testing::TempDir() + "/tiers_" + std::to_string(getpid()) + "_" +
              testing::UnitTest::GetInstance()->current_test_info()->name();
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
    options_.path = folder_ + "/history.db";
    options_.clock = &clock_;
    Open();
    start_ms_ = clock_.NowMs();
  }
  ~TierStoreTest() override {
    store_.reset();
    std::filesystem::remove_all(folder_);
  }
  void Open() {
    store_.reset();
    auto opened = Store::Open(options_);
    ASSERT_TRUE(opened) << opened.error().message;
    store_ = std::move(*opened);
  }
  void Put(std::int64_t time_ms, double value) {
    Labels labels;
    labels.Set("__name__", "c_total");
    const LabelledSample sample{labels, {time_ms, value}};
    ASSERT_TRUE(store_->Append({&sample, 1}));
    known_[time_ms] = value;
  }
  // A sample each 20 s; a counter that is reset now and then.
  void PutHours(int hours) {
    for (int i = 0; i < hours * 180; ++i) {
      clock_.Advance(std::chrono::seconds(20));
      value_ = number_ % 500 == 499 ? 1 : value_ + number_ % 7;
      ++number_;
      Put(clock_.NowMs(), value_);
    }
  }
  void Wait(std::chrono::minutes time) {  // With the empty Appends of a watcher without targets.
    for (int i = 0; i < time.count(); ++i) {
      clock_.Advance(std::chrono::minutes(1));
      ASSERT_TRUE(store_->Append({}));
    }
  }
  std::vector<Sample> Get(std::int64_t bucket_ms, Column column, std::int64_t from_ms = 0) {
    telemetry::SelectRequest request;
    request.matchers = {{telemetry::Matcher::Kind::kEqual, "__name__", "c_total"}};
    request.from_ms = from_ms;
    request.to_ms = kFarMs;
    request.bucket_ms = bucket_ms;
    request.column = column;
    const auto found = store_->Select(request);
    EXPECT_TRUE(found) << found.error().message;
    return !found || found->empty() ? std::vector<Sample>() : found->front().samples;
  }
  // Every column of both tiers is what the samples that were put say.
  void ExpectTiersOfWhatIsKnown() {
    std::vector<Sample> samples;
    for (const auto& [time_ms, value] : known_) samples.push_back({time_ms, value});
    for (const std::int64_t width_ms : {kMinuteMs, kHourMs}) {
      const auto buckets = Build(width_ms, samples);
      for (const Column column : {Column::kLeast, Column::kMost, Column::kSum, Column::kCount,
                                  Column::kLast, Column::kIncrease}) {
        std::vector<Sample> expected;
        AppendColumn(buckets, column, expected);
        EXPECT_EQ(Get(width_ms, column), expected) << width_ms << " " << static_cast<int>(column);
      }
    }
  }
  std::int64_t Rows(const std::string& table) {
    auto database = Database::Open(options_.path);
    auto count = database->connection().Prepare("SELECT count(*) FROM " + table);
    EXPECT_TRUE(*count->Step());
    return count->Integer(0);
  }

  FakeClock clock_;
  std::int64_t start_ms_ = 0;
  std::string folder_;
  StoreOptions options_;
  std::unique_ptr<Store> store_;
  std::map<std::int64_t, double> known_;
  int number_ = 0;
  double value_ = 0;
};

TEST_F(TierStoreTest, HoldWhatTheSamplesSaySoFar) {
  PutHours(9);
  EXPECT_GT(Rows("minute_tier"), 1);
  ExpectTiersOfWhatIsKnown();  // The last hours from samples, the others from the tiers.
  Open();
  ExpectTiersOfWhatIsKnown();
}

TEST_F(TierStoreTest, LateSamplesHaveTheirHoursSummedUpAgain) {
  PutHours(9);
  Put(start_ms_ + 2 * kHourMs + 1234, 1e6);
  Put(start_ms_ + 500, 7);
  PutHours(3);
  ExpectTiersOfWhatIsKnown();
  Wait(std::chrono::minutes(200));
  ExpectTiersOfWhatIsKnown();
}

TEST_F(TierStoreTest, AnEndedSeriesIsSummedUpToItsEndAndMayGoOn) {
  PutHours(3);
  Wait(std::chrono::minutes(300));
  const std::int64_t chunks = Rows("chunk");
  EXPECT_GT(chunks, 0);
  ExpectTiersOfWhatIsKnown();
  PutHours(2);
  ExpectTiersOfWhatIsKnown();
}

TEST_F(TierStoreTest, OutliveTheSamples) {
  options_.retention_ms = 6 * kHourMs;
  options_.accept_late_ms = kHourMs;
  Open();
  PutHours(30);
  EXPECT_GT(store_->Stats().retention_removed, 0u);
  EXPECT_GT(Get(0, Column::kRaw).front().time_ms, start_ms_ + 20 * kHourMs);
  ExpectTiersOfWhatIsKnown();
  const auto depths = store_->Depths();
  ASSERT_THAT(depths, SizeIs(3));
  EXPECT_EQ(depths[0].from_ms, clock_.NowMs() - options_.retention_ms);
  EXPECT_LT(depths[1].from_ms, start_ms_);
  Open();
  ExpectTiersOfWhatIsKnown();
}

TEST_F(TierStoreTest, OverTheByteLimitTheOldestSamplesGoFirst) {
  options_.retention_bytes = 40 << 10;  // Less than the empty tables and a day take.
  Open();
  for (int day = 0; day < 3; ++day) {
    for (int i = 0; i < 17'280; ++i) {
      clock_.Advance(std::chrono::seconds(5));
      Put(clock_.NowMs(), std::sin(i) * 1e3);
    }
  }
  const auto raw = Get(0, Column::kRaw);
  EXPECT_GT(raw.front().time_ms, start_ms_ + kDayMs);
  EXPECT_LE(raw.front().time_ms, clock_.NowMs() - kMinKeptMs + 2 * kHourMs);  // The last day stays.
  EXPECT_GT(store_->Depths()[0].from_ms, start_ms_);
}

TEST_F(TierStoreTest, RefusesAWidthThatNoTierHas) {
  PutHours(1);
  telemetry::SelectRequest request;
  request.bucket_ms = 7000;
  request.column = Column::kSum;
  EXPECT_FALSE(store_->Select(request));
}

}  // namespace
}  // namespace atalaya::history
