#include "promql/engine.h"

#include <gtest/gtest.h>
#include <pthread.h>

#include <string>

#include "promql/memory_source.h"
#include "promql/parser.h"

namespace atalaya::promql {
namespace {

using telemetry::LabelledSample;
using telemetry::Labels;
using telemetry::SeriesSamples;

constexpr std::int64_t kMinuteMs = 60'000;

// Ten series `x{i="0"}` ... of an hour, a sample each minute.
MemorySource TenSeries() {
  MemorySource source;
  for (int i = 0; i < 10; ++i) {
    const Labels labels(std::vector<Labels::Pair>{{"__name__", "x"}, {"i", std::to_string(i)}});
    for (int minute = 0; minute <= 60; ++minute) {
      source.Add(labels, {minute * kMinuteMs, i * 100.0 + minute});
    }
  }
  return source;
}

ErrorCode CodeOf(const Result<QueryResult>& result) {
  EXPECT_FALSE(result);
  return result ? ErrorCode::kIo : result.error().code;
}

TEST(PromqlEngine, YieldsTheTypeOfTheExpression) {
  const MemorySource source = TenSeries();
  const Engine engine(source);
  const auto value = [&](std::string_view query) {
    return engine.EvaluateInstant(*Parse(query), 5 * kMinuteMs)->value;
  };
  EXPECT_EQ(std::get<telemetry::Sample>(value("1 + 1")).value, 2);
  EXPECT_EQ(std::get<std::string>(value("'a'")), "a");
  const auto vector = std::get<std::vector<LabelledSample>>(value("x{i='3'}"));
  ASSERT_EQ(vector.size(), 1u);
  EXPECT_EQ(vector[0].labels.ToString(), "x{i=\"3\"}");
  EXPECT_EQ(vector[0].sample, (telemetry::Sample{5 * kMinuteMs, 305}));
  const auto matrix = std::get<std::vector<SeriesSamples>>(value("x{i='3'}[2m]"));
  ASSERT_EQ(matrix.size(), 1u);
  EXPECT_EQ(matrix[0].samples.size(), 2u) << "the window is open on its left";
}

TEST(PromqlEngine, RangesAreMatricesSortedByLabels) {
  const MemorySource source = TenSeries();
  const Engine engine(source);
  const Result<QueryResult> result =
      engine.EvaluateRange(*Parse("x * -1"), 0, 10 * kMinuteMs, 5 * kMinuteMs);
  const auto& matrix = std::get<std::vector<SeriesSamples>>(result->value);
  ASSERT_EQ(matrix.size(), 10u);
  EXPECT_EQ(matrix[2].labels.ToString(), "{i=\"2\"}");
  ASSERT_EQ(matrix[2].samples.size(), 3u);
  EXPECT_EQ(matrix[2].samples[2], (telemetry::Sample{10 * kMinuteMs, -210}));
}

TEST(PromqlEngine, RefusesARangeItCannotWalk) {
  const MemorySource source;
  const Engine engine(source);
  EXPECT_EQ(CodeOf(engine.EvaluateRange(*Parse("1"), 0, 10, 0)), ErrorCode::kInvalid);
  EXPECT_EQ(CodeOf(engine.EvaluateRange(*Parse("1"), 10, 0, 1)), ErrorCode::kInvalid);
  EXPECT_EQ(CodeOf(engine.EvaluateRange(*Parse("x[5m]"), 0, 10, 1)), ErrorCode::kInvalid);
  EXPECT_EQ(CodeOf(engine.EvaluateRange(*Parse("'a'"), 0, 10, 1)), ErrorCode::kInvalid);
}

TEST(PromqlEngine, NamesTheLimitThatAQueryReached) {
  const MemorySource source = TenSeries();
  const Engine few_samples(source, {.max_samples = 100});
  EXPECT_EQ(CodeOf(few_samples.EvaluateInstant(*Parse("x[1h:1s]"), 0)), ErrorCode::kLimit);
  const Result<QueryResult> wide =
      few_samples.EvaluateRange(*Parse("1"), 0, std::int64_t{1} << 50, 1);
  EXPECT_EQ(CodeOf(wide), ErrorCode::kLimit);
  EXPECT_NE(wide.error().message.find("max_samples (100)"), std::string::npos);
  const Engine few_series(source, {.max_series = 9});
  const Result<QueryResult> series = few_series.EvaluateInstant(*Parse("x"), kMinuteMs);
  EXPECT_EQ(CodeOf(series), ErrorCode::kLimit);
  EXPECT_NE(series.error().message.find("max_series (9)"), std::string::npos);
}

TEST(PromqlEngine, SharesALimitAmongQueriesAtOneTime) {
  const MemorySource source = TenSeries();
  const Engine engine(source, {.max_samples_together = 1200});
  const ExprPtr expr = *Parse("x[1h]");  // 600 samples.
  Result<QueryResult> meanwhile;
  int asked = 0;
  QueryOptions query;
  query.cancelled = [&] {
    if (++asked == 2) meanwhile = engine.EvaluateInstant(expr, 60 * kMinuteMs);
    return false;
  };
  const ExprPtr heavy = *Parse("sum_over_time(x[1h])");
  ASSERT_TRUE(engine.EvaluateRange(heavy, 60 * kMinuteMs, 60 * kMinuteMs + 19, 1, query));
  ASSERT_EQ(asked, 2);
  EXPECT_EQ(CodeOf(meanwhile), ErrorCode::kLimit);
  EXPECT_NE(meanwhile.error().message.find("max_samples_together (1200)"), std::string::npos);
  EXPECT_TRUE(engine.EvaluateInstant(expr, 60 * kMinuteMs)) << "what the first had is given back";
}

TEST(PromqlEngine, EndsAQueryThatIsCancelledOrOutOfTime) {
  const MemorySource source = TenSeries();
  const Engine engine(source);
  const Result<QueryResult> ended = engine.EvaluateInstant(
      *Parse("x"), kMinuteMs, {.lookback_ms = {}, .timeout = {}, .cancelled = [] { return true; }});
  EXPECT_EQ(CodeOf(ended), ErrorCode::kTimeout);

  // A clock that moves by a second each time it is read.
  class HastyClock : public Clock {
   public:
    std::int64_t NowMs() const override { return 0; }
    std::int64_t SteadyNs() const override { return now_ns_ += 1'000'000'000; }

   private:
    mutable std::int64_t now_ns_ = 0;
  };
  const HastyClock clock;
  const Engine hurried(source, {.timeout = std::chrono::milliseconds(1500), .clock = &clock});
  const ExprPtr heavy = *Parse("sum_over_time(x[1h])");
  const Result<QueryResult> late = hurried.EvaluateRange(heavy, 0, 60 * kMinuteMs, 1000);
  EXPECT_EQ(CodeOf(late), ErrorCode::kTimeout);
  EXPECT_NE(late.error().message.find("timeout (1500 ms)"), std::string::npos);
}

TEST(PromqlEngine, DropsNamesAtOnceUnlessToldOtherwise) {
  MemorySource source;
  for (const std::string name : {"a_total", "b_total"}) {
    const Labels labels(std::vector<Labels::Pair>{{"__name__", name}, {"env", "x"}});
    source.Add(labels, {0, 1});
    source.Add(labels, {kMinuteMs, 61});
  }
  const ExprPtr expr = *Parse("sum by (env) (rate({env='x'}[5m]))");
  EXPECT_EQ(CodeOf(Engine(source).EvaluateInstant(expr, kMinuteMs)), ErrorCode::kInvalid);
  EXPECT_TRUE(Engine(source, {.delayed_name_removal = true}).EvaluateInstant(expr, kMinuteMs));
}

TEST(PromqlEngine, HandsOnWhatTheSourceFailsWith) {
  class BrokenSource : public telemetry::SeriesSource {
    Result<std::vector<SeriesSamples>> Select(const telemetry::SelectRequest&) const override {
      return Fail(ErrorCode::kIo, "the disk is gone");
    }
  };
  const BrokenSource source;
  const Result<QueryResult> result = Engine(source).EvaluateInstant(*Parse("sum(x)"), 0);
  EXPECT_EQ(CodeOf(result), ErrorCode::kIo);
  EXPECT_EQ(result.error().message, "the disk is gone");
}

TEST(PromqlEngine, TellsWhereAnAnnotationComesFromAndOnlyOnce) {
  const MemorySource source = TenSeries();
  const Engine engine(source);
  const Result<QueryResult> result =
      engine.EvaluateInstant(*Parse("1 + rate(x[5m]) * quantile(2, x)"), 5 * kMinuteMs);
  EXPECT_EQ(result->warnings,
            std::vector<std::string>{
                "PromQL warning: quantile value should be between 0 and 1, got 2 (1:28)"});
  EXPECT_EQ(result->infos, std::vector<std::string>{
                               "PromQL info: metric might not be a counter, name does not end in "
                               "_total/_sum/_count/_bucket: \"x\" (1:10)"});
}

TEST(PromqlEngine, EvaluatesATreeThatWasBuiltLikeOneThatWasRead) {
  const MemorySource source = TenSeries();
  const Engine engine(source);
  const ExprPtr built = *MakeBinary(
      BinaryOp::kGreater, *MakeSelector("x", {{telemetry::Matcher::Kind::kRegex, "i", "[89]"}}),
      MakeNumber(850));
  EXPECT_EQ(ToString(*built), "x{i=~\"[89]\"} > 850");
  const Result<QueryResult> result = engine.EvaluateInstant(built, kMinuteMs);
  const auto& vector = std::get<std::vector<LabelledSample>>(result->value);
  ASSERT_EQ(vector.size(), 1u);
  EXPECT_EQ(vector[0].sample.value, 901);
}

void* EvaluateDeeplyNested(void*) {
  const MemorySource source = TenSeries();
  std::string query = "x";
  for (int i = 0; i < 100; ++i) query = "abs(" + query + ")";
  const Result<ExprPtr> expr = Parse(query);
  EXPECT_TRUE(!expr && expr.error().code == ErrorCode::kLimit);
  return nullptr;
}

TEST(PromqlEngine, RefusesWhatIsTooDeepForASmallStack) {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, 100u << 10);  // That of CivetWeb's threads.
  pthread_t thread;
  ASSERT_EQ(pthread_create(&thread, &attributes, EvaluateDeeplyNested, nullptr), 0);
  pthread_attr_destroy(&attributes);
  pthread_join(thread, nullptr);
}

}  // namespace
}  // namespace atalaya::promql
