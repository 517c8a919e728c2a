#include "history/store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <future>
#include <span>
#include <thread>

#include "history/bucket.h"
#include "history/database.h"

namespace atalaya::history {
namespace {

using telemetry::LabelledSample;
using telemetry::Labels;
using telemetry::Matcher;
using telemetry::Sample;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

class StoreTest : public testing::Test {
 protected:
  StoreTest() {
    folder_ = testing::TempDir() + "/store_" + std::to_string(getpid()) + "_" +
              testing::UnitTest::GetInstance()->current_test_info()->name();
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
    options_.path = folder_ + "/history.db";
    options_.clock = &clock_;
    Open();
  }
  ~StoreTest() override {
    store_.reset();
    std::filesystem::remove_all(folder_);
  }

  void Open() {
    store_.reset();
    auto opened = Store::Open(options_);
    ASSERT_TRUE(opened) << opened.error().message;
    store_ = std::move(*opened);
  }

  static Labels Name(std::string_view name) {
    return Labels({{"__name__", std::string(name)}, {"instance", "a:1"}});
  }
  Status Put(std::string_view name, std::int64_t time_ms, double value) {
    const LabelledSample sample{Name(name), {time_ms, value}};
    return store_->Append({&sample, 1});
  }
  // One sample each 5 s, `count` of them, the last one now; the value is its number.
  void PutRow(std::string_view name, int count) {
    for (int i = 0; i < count; ++i) {
      clock_.Advance(std::chrono::seconds(5));
      ASSERT_TRUE(Put(name, clock_.NowMs(), i));
    }
  }
  std::vector<Sample> Get(std::string_view name, std::int64_t from_ms = 0,
                          std::int64_t to_ms = kMaxTime) {
    telemetry::SelectRequest request;
    request.matchers = {{Matcher::Kind::kEqual, "__name__", std::string(name)}};
    request.from_ms = from_ms;
    request.to_ms = to_ms;
    const auto found = store_->Select(request);
    EXPECT_TRUE(found);
    if (!found || found->empty()) return {};
    EXPECT_EQ(found->size(), 1u);
    return found->front().samples;
  }
  void ExpectRow(std::string_view name, std::size_t count) {
    const std::vector<Sample> samples = Get(name);
    ASSERT_EQ(samples.size(), count);
    for (std::size_t i = 0; i < count; ++i) ASSERT_EQ(samples[i].value, static_cast<double>(i));
  }
  std::string FileSetAside() {
    for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
      const std::string name = entry.path().filename();
      if (name.starts_with("history.db.broken-") && !name.ends_with("-wal") &&
          !name.ends_with("-shm")) {
        return name;
      }
    }
    return "";
  }

  static constexpr std::int64_t kMaxTime = std::int64_t{1} << 50;
  FakeClock clock_;
  std::string folder_;
  StoreOptions options_;
  std::unique_ptr<Store> store_;
};

TEST_F(StoreTest, GivesBackWhatWasAppended) {
  const std::int64_t now = clock_.NowMs();
  ASSERT_TRUE(Put("up", now, 1));
  ASSERT_TRUE(Put("up", now + 5000, telemetry::StaleMarker()));
  const auto samples = Get("up");
  ASSERT_THAT(samples, SizeIs(2));
  EXPECT_EQ(samples[0], (Sample{now, 1}));
  EXPECT_TRUE(telemetry::IsStaleMarker(samples[1].value));
  EXPECT_THAT(Get("up", now + 1, now + 4999), IsEmpty());
  EXPECT_THAT(Get("up", now, now), SizeIs(1));
  EXPECT_THAT(Get("down"), IsEmpty());
}

TEST_F(StoreTest, KeepsSamplesAcrossChunksAndRestarts) {
  PutRow("up", 1000);  // Some chunks and a head.
  ExpectRow("up", 1000);
  EXPECT_LT(store_->Stats().head_samples, 400u);
  Open();
  ExpectRow("up", 1000);
  const std::size_t head = store_->Stats().head_samples;
  EXPECT_LT(head, 400u);
  PutRow("other", 10);
  Open();
  ExpectRow("up", 1000);
  ExpectRow("other", 10);
}

TEST_F(StoreTest, FindsAHeldSeriesAgainAfterItWasForgotten) {
  options_.minute_retention_ms = options_.hour_retention_ms = options_.retention_ms;
  Open();
  auto series = std::make_shared<telemetry::Series>(Name("a"));
  const auto put = [&](double value) {
    const telemetry::SeriesSample sample{series, {clock_.NowMs(), value}};
    ASSERT_TRUE(store_->AppendHeld({&sample, 1}));
  };
  put(1);
  const std::uint32_t id = series->store_id;
  ASSERT_TRUE(Put("a", clock_.NowMs() + 1, 2));  // The same series, by its labels.
  EXPECT_THAT(Get("a"), SizeIs(2));
  for (int day = 0; day < 20; ++day) {
    clock_.Advance(std::chrono::hours(24));
    ASSERT_TRUE(Put("b", clock_.NowMs(), day));
  }
  ASSERT_THAT(Get("a"), IsEmpty());
  put(3);
  EXPECT_NE(series->store_id, id);
  EXPECT_THAT(Get("a"), ElementsAre(Sample{clock_.NowMs(), 3}));
}

TEST_F(StoreTest, SaysWhenSamplesAreOnStableStorage) {
  std::promise<void> durable;
  ASSERT_TRUE(Put("a", clock_.NowMs(), 1));
  store_->WhenDurable([&] { durable.set_value(); });
  EXPECT_EQ(durable.get_future().wait_for(std::chrono::seconds(30)), std::future_status::ready);
}

TEST_F(StoreTest, SelectsTheRightPartOfChunks) {
  PutRow("up", 1000);
  const std::int64_t end = clock_.NowMs();
  const auto samples = Get("up", end - 500 * 5000, end - 400 * 5000);
  ASSERT_THAT(samples, SizeIs(101));
  EXPECT_EQ(samples.front().value, 499);
  EXPECT_EQ(samples.back().value, 599);
}

TEST_F(StoreTest, SlowSeriesDoNotHoldBatchesBack) {
  ASSERT_TRUE(Put("slow", clock_.NowMs(), 0));
  PutRow("fast", 800);  // Over an hour.
  store_.reset();
  auto database = Database::Open(options_.path);
  ASSERT_TRUE(database);
  auto batches = database->connection().Prepare("SELECT count(*) FROM batch");
  ASSERT_TRUE(*batches->Step());
  EXPECT_LT(batches->Integer(0), 400);
  Open();
  EXPECT_THAT(Get("slow"), SizeIs(1));
}

TEST_F(StoreTest, SmallLastChunkIsFilledUp) {
  for (int i = 0; i < 200; ++i) {  // 60 an hour: each hour's head is small.
    clock_.Advance(std::chrono::minutes(1));
    ASSERT_TRUE(Put("slow", clock_.NowMs(), i));
  }
  ExpectRow("slow", 200);
  store_.reset();
  auto database = Database::Open(options_.path);
  auto chunks = database->connection().Prepare("SELECT count(*) FROM chunk");
  ASSERT_TRUE(*chunks->Step());
  EXPECT_EQ(chunks->Integer(0), 1);
  Open();
  ExpectRow("slow", 200);
}

TEST_F(StoreTest, RepeatedSampleIsNothingAndAnotherValueIsRefused) {
  const std::int64_t now = clock_.NowMs();
  ASSERT_TRUE(Put("up", now, 1));
  ASSERT_TRUE(Put("up", now, 1));
  ASSERT_TRUE(Put("up", now, 2));
  EXPECT_THAT(Get("up"), ElementsAre(Sample{now, 1}));
  EXPECT_EQ(store_->Stats().repeated, 1u);
  EXPECT_EQ(store_->Stats().refused_conflict, 1u);
  EXPECT_EQ(store_->Stats().accepted, 1u);
}

TEST_F(StoreTest, RefusesWhatIsTooOldOrAhead) {
  const std::int64_t now = clock_.NowMs();
  ASSERT_TRUE(Put("up", now + kMaxAheadMs + 1, 1));
  ASSERT_TRUE(Put("up", now - options_.accept_late_ms - 1, 1));
  EXPECT_THAT(Get("up"), IsEmpty());
  EXPECT_EQ(store_->Stats().refused_ahead, 1u);
  EXPECT_EQ(store_->Stats().refused_too_old, 1u);
  ASSERT_TRUE(Put("up", now + kMaxAheadMs, 1));
  ASSERT_TRUE(Put("up", now - options_.accept_late_ms, 1));
  EXPECT_THAT(Get("up"), SizeIs(2));
}

TEST_F(StoreTest, LateSamplesJoinTheirChunks) {
  PutRow("up", 700);
  const std::int64_t end = clock_.NowMs();
  const std::int64_t start = end - 699 * 5000;
  ASSERT_TRUE(Put("up", start + 100 * 5000, 100));        // Known: in a chunk.
  ASSERT_TRUE(Put("up", start + 100 * 5000, 7));          // Refused.
  ASSERT_TRUE(Put("up", start + 100 * 5000 + 1, 100.5));  // New.
  ASSERT_TRUE(Put("up", start - 1000, -1));               // Before everything.
  EXPECT_EQ(store_->Stats().repeated, 1u);
  EXPECT_EQ(store_->Stats().refused_conflict, 1u);
  auto check = [&](std::size_t count) {
    const auto samples = Get("up");
    ASSERT_THAT(samples, SizeIs(count));
    EXPECT_TRUE(std::is_sorted(samples.begin(), samples.end(),
                               [](const auto& a, const auto& b) { return a.time_ms < b.time_ms; }));
    EXPECT_EQ(samples.front().value, -1);
    EXPECT_EQ(samples[102].value, 100.5);
  };
  check(702);
  Open();
  check(702);
  for (int i = 0; i < 400; ++i) {  // Now they are sealed with the rest.
    clock_.Advance(std::chrono::seconds(5));
    ASSERT_TRUE(Put("up", clock_.NowMs(), 700 + i));
  }
  check(1102);
  Open();
  check(1102);
}

TEST_F(StoreTest, TakesADayOfBackfillAtOnce) {
  PutRow("up", 500);
  const std::int64_t end = clock_.NowMs();
  std::vector<LabelledSample> late;
  for (int i = 1; i <= 16'000; ++i) {
    late.push_back({Name("up"), {end - 600 * 5000 - i * 5000, static_cast<double>(-i)}});
  }
  ASSERT_TRUE(store_->Append(late));
  EXPECT_THAT(Get("up"), SizeIs(16'500));
  Open();
  EXPECT_THAT(Get("up"), SizeIs(16'500));
  EXPECT_EQ(store_->Stats().head_samples, 0u);
}

TEST_F(StoreTest, ForgetsWhatIsOlderThanRetention) {
  options_.retention_ms = 2 * kHourMs;
  options_.minute_retention_ms = options_.hour_retention_ms = 2 * kHourMs;
  Open();
  PutRow("gone", 300);
  PutRow("stays", 4000);  // More than five hours.
  EXPECT_THAT(Get("gone"), IsEmpty());
  EXPECT_EQ(store_->Stats().series, 1u);
  const auto samples = Get("stays");
  EXPECT_LT(samples.size(), 3200u);  // Retention, an hour of sweep and a chunk.
  EXPECT_GE(samples.size(), 1440u);
  Open();
  EXPECT_EQ(store_->Stats().series, 1u);
  EXPECT_GT(store_->Stats().accepted + samples.size(), 1440u);
}

TEST_F(StoreTest, FindsSeriesByMatchers) {
  const std::int64_t now = clock_.NowMs();
  const auto put = [&](const Labels& labels) {
    const LabelledSample sample{labels, {now, 1}};
    ASSERT_TRUE(store_->Append({&sample, 1}));
  };
  put(Labels({{"__name__", "cpu"}, {"mode", "idle"}, {"cpu", "0"}}));
  put(Labels({{"__name__", "cpu"}, {"mode", "user"}, {"cpu", "0"}}));
  put(Labels({{"__name__", "up"}, {"job", "node"}}));
  const auto count = [&](std::vector<Matcher> matchers) {
    telemetry::SelectRequest request;
    request.matchers = std::move(matchers);
    request.to_ms = kMaxTime;
    return store_->Select(request)->size();
  };
  using Kind = Matcher::Kind;
  EXPECT_EQ(count({{Kind::kEqual, "__name__", "cpu"}}), 2u);
  EXPECT_EQ(count({{Kind::kEqual, "__name__", "cpu"}, {Kind::kNotEqual, "mode", "idle"}}), 1u);
  EXPECT_EQ(count({{Kind::kRegex, "__name__", "c.*|up"}}), 3u);
  EXPECT_EQ(count({{Kind::kRegex, "__name__", "c"}}), 0u);  // Anchored.
  EXPECT_EQ(count({{Kind::kEqual, "mode", ""}}), 1u);
  EXPECT_EQ(count({{Kind::kNotEqual, "mode", ""}}), 2u);
  EXPECT_EQ(count({{Kind::kNotEqual, "mode", "idle"}}), 2u);
  EXPECT_EQ(count({{Kind::kRegex, "mode", "idle|"}}), 2u);
  EXPECT_EQ(count({{Kind::kNotRegex, "mode", "idle|user"}}), 1u);
  EXPECT_EQ(count({{Kind::kNotRegex, "mode", ".+"}}), 1u);
  EXPECT_EQ(count({{Kind::kEqual, "none", "x"}}), 0u);
  EXPECT_EQ(count({{Kind::kNotEqual, "none", "x"}}), 3u);

  EXPECT_THAT(store_->LabelNames({}, 0, kMaxTime), ElementsAre("__name__", "cpu", "job", "mode"));
  EXPECT_THAT(store_->LabelValues("mode", {}, 0, kMaxTime), ElementsAre("idle", "user"));
  EXPECT_THAT(store_->LabelValues("mode", {{{Kind::kEqual, "mode", "user"}}}, 0, kMaxTime),
              ElementsAre("user"));
  EXPECT_THAT(store_->Series({{{Kind::kEqual, "job", "node"}}}, 0, kMaxTime), SizeIs(1));
  EXPECT_THAT(store_->Series({}, 0, now - 1), IsEmpty());
}

TEST_F(StoreTest, RefusesSeriesOverTheLimitAndBadLabels) {
  options_.max_series = 2;
  Open();
  const std::int64_t now = clock_.NowMs();
  ASSERT_TRUE(Put("a", now, 1));
  ASSERT_TRUE(Put("b", now, 1));
  ASSERT_TRUE(Put("c", now, 1));
  EXPECT_EQ(store_->Stats().refused_series, 1u);
  const LabelledSample nameless{Labels({{"job", "x"}, {"instance", "y"}}), {now, 1}};
  const LabelledSample huge{Labels({{"__name__", "x"}, {"text", std::string(kMaxLabelBytes, 'x')}}),
                            {now, 1}};
  ASSERT_TRUE(store_->Append({&nameless, 1}));
  ASSERT_TRUE(store_->Append({&huge, 1}));
  EXPECT_EQ(store_->Stats().refused_labels, 2u);
}

TEST_F(StoreTest, HandsSeriesOnUntilTheTakerFails) {
  PutRow("up", 500);
  PutRow("other", 10);
  telemetry::SelectRequest request;
  request.to_ms = kMaxTime;
  std::vector<std::size_t> sizes;
  const auto take = [&](Labels&, std::span<Sample> samples) -> Status {
    sizes.push_back(samples.size());
    return {};
  };
  EXPECT_TRUE(store_->Each(request, take));
  EXPECT_THAT(sizes, testing::UnorderedElementsAre(500, 10));
  sizes.clear();
  const Status ended = store_->Each(request, [&](Labels& labels, std::span<Sample> samples) {
    (void)take(labels, samples);
    return Status(Fail(ErrorCode::kTimeout, "enough"));
  });
  EXPECT_EQ(ended.error().message, "enough");
  EXPECT_THAT(sizes, SizeIs(1));
}

TEST_F(StoreTest, NamesTheLimitOfAQuery) {
  PutRow("up", 600);
  telemetry::SelectRequest request;
  request.matchers = {{Matcher::Kind::kEqual, "__name__", "up"}};
  request.to_ms = kMaxTime;
  request.sample_limit = 100;
  EXPECT_EQ(store_->Select(request).error().code, ErrorCode::kLimit);
}

TEST_F(StoreTest, TellsWhenTheWatcherRan) {
  const std::int64_t first = clock_.NowMs();
  PutRow("up", 10);
  const std::int64_t stopped = clock_.NowMs();
  store_.reset();
  clock_.Advance(std::chrono::hours(1));
  const std::int64_t second = clock_.NowMs();
  Open();
  PutRow("up", 3);
  const auto runs = store_->Runs(0, kMaxTime);
  ASSERT_THAT(runs, SizeIs(2));
  EXPECT_EQ(runs[0].start_ms, first);
  EXPECT_EQ(runs[0].last_ms, stopped);
  EXPECT_TRUE(runs[0].stopped_cleanly);
  EXPECT_EQ(runs[1].start_ms, second);
  EXPECT_FALSE(runs[1].stopped_cleanly);
  EXPECT_THAT(store_->Runs(stopped + 1, second - 1), IsEmpty());
}

TEST_F(StoreTest, SetsABrokenFileAsideAndBeginsANewOne) {
  PutRow("up", 400);
  store_.reset();
  std::ofstream(options_.path, std::ios::binary | std::ios::trunc) << std::string(20'000, '?');
  Open();
  EXPECT_NE(FileSetAside(), "");
  EXPECT_EQ(store_->Stats().files_set_aside, 1u);
  EXPECT_THAT(Get("up"), IsEmpty());
  PutRow("up", 10);
  Open();
  ExpectRow("up", 10);
}

TEST_F(StoreTest, DamageWhileItRunsLosesNothingThatMemoryHolds) {
  PutRow("up", 100);
  // A root page is moved to nowhere under the open store, as a bad disk might.
  {
    auto database = Database::Open(options_.path);
    ASSERT_TRUE(database->connection().Execute(
        "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET rootpage = 4000 WHERE name = "
        "'batch'; PRAGMA schema_version = 99"));
  }
  PutRow("other", 10);
  EXPECT_EQ(store_->Stats().files_set_aside, 1u);
  EXPECT_TRUE(store_->Stats().saving);
  ExpectRow("up", 100);
  Open();
  ExpectRow("up", 100);
  ExpectRow("other", 10);
}

TEST_F(StoreTest, PassesOverAndCountsDamagedRows) {
  const auto damage = [this](const char* sql) {
    store_.reset();
    auto database = Database::Open(options_.path);
    ASSERT_TRUE(database->connection().Execute(sql));
    database = Fail(ErrorCode::kIo, "closed");
    Open();
  };
  PutRow("up", 10);
  PutRow("other", 10);
  damage("UPDATE batch SET data = x'01ff' WHERE id = (SELECT max(id) FROM batch)");
  EXPECT_EQ(store_->Stats().damaged_rows, 1u);
  ExpectRow("up", 10);
  ExpectRow("other", 9);
  damage("DELETE FROM batch; UPDATE series SET labels = x'ff' WHERE id = 2");
  EXPECT_EQ(store_->Stats().damaged_rows, 1u);
  EXPECT_THAT(Get("other"), IsEmpty());
  PutRow("other", 10);  // It begins again.
  EXPECT_TRUE(store_->Stats().saving);
  EXPECT_EQ(store_->Stats().files_set_aside, 0u);
  Open();
  ExpectRow("other", 10);
}

// As where a disk gives other bytes than were written: each still decodes, or belongs elsewhere.
TEST_F(StoreTest, PassesOverRowsThatAreNotAsTheyWereWritten) {
  const auto damaged_by = [this](const std::string& sql) {
    store_.reset();
    {
      auto database = Database::Open(options_.path);
      EXPECT_TRUE(database->connection().Execute(sql));
    }
    Open();
    Get("up");
    telemetry::SelectRequest minutes;
    minutes.to_ms = kMaxTime;
    minutes.bucket_ms = kMinuteMs;
    minutes.column = telemetry::Column::kSum;
    EXPECT_TRUE(store_->Select(minutes));
    return store_->Stats().damaged_rows;
  };
  PutRow("up", 1500);
  const std::size_t sealed = 1500 - store_->Stats().head_samples;
  EXPECT_EQ(damaged_by(""), 0u);
  const std::string last = " WHERE key = (SELECT max(key) FROM ";
  EXPECT_EQ(damaged_by("UPDATE batch SET id = id + 1000 WHERE id = (SELECT max(id) FROM batch)"),
            1u);
  EXPECT_THAT(Get("up"), SizeIs(1499));
  EXPECT_EQ(
      damaged_by("DELETE FROM batch; UPDATE minute_tier SET crc = crc + 1" + last + "minute_tier)"),
      1u);
  EXPECT_THAT(Get("up"), SizeIs(sealed));
  // A chunk's bytes in another's place.
  EXPECT_EQ(damaged_by("DELETE FROM minute_tier; UPDATE chunk SET data = (SELECT data FROM chunk "
                       "ORDER BY key LIMIT 1)" +
                       last + "chunk)"),
            2u);  // Found by both reads.
  EXPECT_LT(Get("up").size(), sealed);
  EXPECT_EQ(damaged_by("UPDATE series SET labels = CAST(replace(CAST(labels AS TEXT), 'up', 'uq') "
                       "AS BLOB)"),
            1u);
  EXPECT_THAT(Get("uq"), IsEmpty());
}

TEST_F(StoreTest, SumsUpAgainWhatLiesBehindAnAlteredMark) {
  PutRow("up", 2200);
  store_.reset();
  std::int64_t mark = 0;
  const auto read_mark = [&] {
    auto database = Database::Open(options_.path);
    std::vector<SeriesId> damaged;
    mark = database->AllSeries(damaged)->front().tiered_ms;
  };
  read_mark();
  const std::int64_t whole = mark;
  ASSERT_GT(whole, 0);
  {
    auto database = Database::Open(options_.path);
    ASSERT_TRUE(database->connection().Execute("UPDATE series SET tiered_ms = tiered_ms + 4096"));
  }
  Open();
  EXPECT_EQ(store_->Stats().damaged_rows, 1u);
  for (int i = 0; i < 3; ++i) {  // Each looks for what is to be summed up.
    clock_.Advance(std::chrono::minutes(1));
    ASSERT_TRUE(store_->Append({}));
  }
  store_.reset();
  read_mark();
  EXPECT_EQ(mark % kHourMs, 0);
  EXPECT_GE(mark, whole);
}

TEST_F(StoreTest, GoesOnFromMemoryWhileTheDiskFails) {
  PutRow("up", 10);
  std::optional<Result<Database>> blocker(Database::Open(options_.path));
  ASSERT_TRUE((*blocker)->connection().Execute("BEGIN IMMEDIATE"));
  clock_.Advance(std::chrono::seconds(5));
  EXPECT_FALSE(Put("up", clock_.NowMs(), 10));
  EXPECT_FALSE(store_->Stats().saving);
  EXPECT_EQ(store_->Stats().write_failures, 1u);
  ExpectRow("up", 11);
  ASSERT_TRUE((*blocker)->connection().Execute("ROLLBACK"));
  blocker.reset();
  clock_.Advance(std::chrono::seconds(5));
  EXPECT_TRUE(Put("up", clock_.NowMs(), 11));
  EXPECT_TRUE(store_->Stats().saving);
  Open();
  ExpectRow("up", 12);
}

TEST_F(StoreTest, RefusesANewerFile) {
  store_.reset();
  {
    auto database = Database::Open(options_.path);
    ASSERT_TRUE(database->connection().Execute("PRAGMA user_version = 99"));
  }
  EXPECT_EQ(Store::Open(options_).error().code, ErrorCode::kVersion);
  EXPECT_EQ(FileSetAside(), "");
  std::filesystem::remove(options_.path);
  Open();
}

// history/tests/kept holds a file of each released format.
TEST_F(StoreTest, OpensAKeptFileOfFormat1) {
  store_.reset();
  std::filesystem::copy_file("history/tests/kept/history-1.db", options_.path,
                             std::filesystem::copy_options::overwrite_existing);
  clock_.StepWallClock(std::chrono::hours(1));
  Open();
  ExpectRow("up", 500);
  EXPECT_GT(store_->Stats().head_samples, 100u);
  EXPECT_THAT(store_->Runs(0, kMaxTime), SizeIs(2));
}

// Six hours of twelve series, a sample each 30 s, up to 4 ms late; the first hours are summed up.
// In format 2 chunks are of format 2 and rows of the tiers of format 1; format 3 has no checks.
TEST_F(StoreTest, OpensKeptFilesOfFormats2And3) {
  for (const char* kept : {"history-2.db", "history-3.db"}) {
    SCOPED_TRACE(kept);
    store_.reset();
    std::filesystem::copy_file(std::string("history/tests/kept/") + kept, options_.path,
                               std::filesystem::copy_options::overwrite_existing);
    clock_ = FakeClock(1'700'007'200'000);
    Open();
    telemetry::SelectRequest request;
    request.to_ms = kMaxTime;
    const auto samples = store_->Select(request);
    request.bucket_ms = kHourMs;
    request.column = telemetry::Column::kSum;
    const auto sums = store_->Select(request);
    ASSERT_TRUE(samples && sums);
    ASSERT_THAT(*samples, SizeIs(12));
    ASSERT_THAT(*sums, SizeIs(12));
    for (std::size_t i = 0; i < samples->size(); ++i) {
      ASSERT_THAT((*samples)[i].samples, SizeIs(720));
      for (const Sample& hour : (*sums)[i].samples) {
        double sum = 0;
        for (const Sample& sample : (*samples)[i].samples) {
          if (BucketEnd(sample.time_ms, kHourMs) == hour.time_ms) sum += sample.value;
        }
        EXPECT_NEAR(hour.value, sum, 1e-9 * std::abs(sum));
      }
    }
    PutRow("up", 500);  // Into rows that have checks.
    Open();
    ExpectRow("up", 500);
    EXPECT_EQ(store_->Stats().damaged_rows, 0u);
  }
}

TEST_F(StoreTest, AnswersQueriesWhileItAppends) {
  std::atomic<bool> done{false};
  std::thread reader([&] {
    std::size_t last = 0;
    while (!done) {
      const std::size_t count = Get("up").size();
      EXPECT_GE(count, last);  // Nothing vanishes while a head becomes a chunk.
      last = count;
    }
  });
  PutRow("up", 1500);
  done = true;
  reader.join();
  ExpectRow("up", 1500);
}

}  // namespace
}  // namespace atalaya::history
