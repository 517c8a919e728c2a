// Range queries over a source that has buckets: which width is read, and what is made of it.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "promql/engine.h"
#include "promql/parser.h"

namespace atalaya::promql {
namespace {

using telemetry::Column;
using telemetry::Depth;
using telemetry::SelectRequest;
using telemetry::SeriesSamples;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::int64_t kMinute = 60'000;
constexpr std::int64_t kHour = 60 * kMinute;

// A counter that gains 60 a minute, sampled every 5 s; buckets of a minute and of an hour.
class BucketSource : public telemetry::SeriesSource {
 public:
  Result<std::vector<SeriesSamples>> Select(const SelectRequest& request) const override {
    asked.push_back(request);
    SeriesSamples series;
    series.labels.Set("__name__", "c_total");
    const std::int64_t step_ms = request.bucket_ms == 0 ? 5000 : request.bucket_ms;
    for (std::int64_t t = (request.from_ms + step_ms - 1) / step_ms * step_ms; t <= request.to_ms;
         t += step_ms) {
      series.samples.push_back({t, ValueOf(request, t)});
    }
    return std::vector{series};
  }
  std::vector<Depth> Depths() const override { return depths; }

  std::vector<Depth> depths = {{0}, {kMinute}, {kHour}};
  mutable std::vector<SelectRequest> asked;

 private:
  static double ValueOf(const SelectRequest& request, std::int64_t end_ms) {
    const double end = static_cast<double>(end_ms) / 1000;
    const double width = static_cast<double>(request.bucket_ms) / 1000;
    const double count = width / 5;
    switch (request.column) {
      case Column::kLeast:
        return end - width + 5;
      case Column::kSum:
        return count * (end - width + 5 + end) / 2;
      case Column::kCount:
        return count;
      case Column::kIncrease:
        return width;
      default:
        return end;
    }
  }
};

class Buckets : public testing::Test {
 protected:
  // The value at the last step, over two days from the third on.
  double Last(const std::string& query, std::int64_t step_ms) {
    source_.asked.clear();
    const Engine engine(source_);
    const std::int64_t from_ms = 48 * kHour;
    const auto result = engine.EvaluateRange(*Parse(query), from_ms, 2 * from_ms, step_ms);
    EXPECT_TRUE(result) << result.error().message;
    warnings_ = result->warnings;
    const auto& matrix = std::get<std::vector<SeriesSamples>>(result->value);
    return matrix.size() == 1 ? matrix[0].samples.back().value : -1;
  }
  std::vector<std::int64_t> Widths() const {
    std::vector<std::int64_t> widths;
    for (const SelectRequest& request : source_.asked) widths.push_back(request.bucket_ms);
    return widths;
  }

  BucketSource source_;
  std::vector<std::string> warnings_;
  static constexpr double kEnd = 96 * 3600;
};

TEST_F(Buckets, AnswerWhatTheSamplesWould) {
  const std::string queries[] = {"sum_over_time(c_total[2h])",      "avg_over_time(c_total[2h])",
                                 "min_over_time(c_total[2h])",      "max_over_time(c_total[2h])",
                                 "count_over_time(c_total[2h])",    "last_over_time(c_total[2h])",
                                 "present_over_time(c_total[2h])",  "rate(c_total[2h])",
                                 "increase(c_total[2h] offset 1h)", "c_total"};
  for (const std::string& query : queries) {
    const double by_buckets = Last(query, 2 * kHour);
    EXPECT_GT(Widths()[0], 0) << query;
    const double by_samples = Last(query, 30'000);
    EXPECT_EQ(Widths()[0], 0) << query;
    EXPECT_NEAR(by_buckets, by_samples, 1e-9 * by_samples) << query;
    EXPECT_THAT(warnings_, IsEmpty());
  }
}

TEST_F(Buckets, WidthIsTheLesserOfStepAndRange) {
  Last("rate(c_total[2h])", 2 * kHour);
  EXPECT_THAT(Widths(), ElementsAre(kHour));
  Last("rate(c_total[5m])", 2 * kHour);
  EXPECT_THAT(Widths(), ElementsAre(kMinute));
  Last("rate(c_total[2h])", 10 * kMinute);
  EXPECT_THAT(Widths(), ElementsAre(kMinute));
  Last("rate(c_total[90s])", 2 * kHour);  // No number of whole minutes.
  EXPECT_THAT(Widths(), ElementsAre(0));
  Last("c_total", 2 * kHour);  // The lookback is the range of a plain selector.
  EXPECT_THAT(Widths(), ElementsAre(kMinute));
  EXPECT_EQ(Last("irate(c_total[2h])", 2 * kHour), 1);
  EXPECT_THAT(Widths(), ElementsAre(0));
  Last("rate(c_total[2h] @ end())", 2 * kHour);  // One time has no step.
  EXPECT_THAT(Widths(), ElementsAre(0));
}

TEST_F(Buckets, WidthChangesWhereStepOrRangeReachesIt) {
  const auto width = [&](const std::string& query, std::int64_t step_ms) {
    Last(query, step_ms);
    return Widths().at(0);
  };
  EXPECT_EQ(width("rate(c_total[2h])", kMinute - 1), 0);
  EXPECT_EQ(width("rate(c_total[2h])", kMinute), kMinute);
  EXPECT_EQ(width("rate(c_total[2h])", kHour - 1), kMinute);
  EXPECT_EQ(width("rate(c_total[2h])", kHour), kHour);
  EXPECT_EQ(width("rate(c_total[59s])", kHour), 0);
  EXPECT_EQ(width("rate(c_total[1m])", kHour), kMinute);
  EXPECT_EQ(width("rate(c_total[59m])", kHour), kMinute);
  EXPECT_EQ(width("rate(c_total[1h])", kHour), kHour);
  EXPECT_EQ(width("rate(c_total[90m])", kHour), kMinute);  // No number of whole hours.
  EXPECT_EQ(width("sum(rate(c_total[1h])) / 2", kHour), kHour);
  EXPECT_EQ(width("max_over_time(rate(c_total[1h])[6h:30s])", kHour), 0);  // The inner step.
  EXPECT_EQ(width("max_over_time(rate(c_total[1h])[6h:1h])", 15'000), kHour);
}

// What sums by minute and hour cannot tell is told from samples, and where these are gone, so much
// is said.
TEST_F(Buckets, OtherFunctionsReadSamplesOrWarn) {
  const std::vector<Depth> all = source_.depths;
  for (const std::string query :
       {"changes(c_total[2h])", "delta(c_total[2h])", "deriv(c_total[2h])", "idelta(c_total[2h])",
        "irate(c_total[2h])", "predict_linear(c_total[2h], 60)",
        "quantile_over_time(1, c_total[2h])", "resets(c_total[2h])",
        "stddev_over_time(c_total[2h])", "stdvar_over_time(c_total[2h])"}) {
    source_.depths = all;
    Last(query, 2 * kHour);
    EXPECT_THAT(Widths(), ElementsAre(0)) << query;
    EXPECT_THAT(warnings_, IsEmpty()) << query;
    source_.depths = {{0, 90 * kHour}, {kMinute, 60 * kHour}, {kHour}};
    Last(query, 2 * kHour);
    EXPECT_THAT(Widths(), ElementsAre(0)) << query;
    EXPECT_THAT(warnings_, ElementsAre(HasSubstr("samples reach back to 1970-01-04T18"))) << query;
  }
}

TEST_F(Buckets, InstantQueriesReadSamples) {
  const Engine engine(source_);
  for (const char* query :
       {"rate(c_total[2h])", "c_total", "max_over_time(rate(c_total[2h])[6h:2h])"}) {
    source_.asked.clear();
    ASSERT_TRUE(engine.EvaluateInstant(*Parse(query), 96 * kHour));
    EXPECT_THAT(Widths(), ElementsAre(0)) << query;
  }
}

TEST_F(Buckets, WiderOnesStandInForSamplesThatAreGone) {
  source_.depths = {{0, 90 * kHour}, {kMinute, 60 * kHour}, {kHour}};
  EXPECT_EQ(Last("c_total", 30'000), kEnd);
  EXPECT_THAT(Widths(), ElementsAre(kHour));
  EXPECT_THAT(warnings_, IsEmpty());
  EXPECT_EQ(Last("rate(c_total[2h])", 30'000), 1);
  EXPECT_THAT(Widths(), ElementsAre(kHour));
  EXPECT_THAT(warnings_, IsEmpty());
  Last("rate(c_total[5m])", 30'000);
  EXPECT_THAT(Widths(), ElementsAre(kMinute));
  EXPECT_THAT(warnings_, ElementsAre(HasSubstr("sums of this width reach back to 1970-01-03T12")));
  Last("irate(c_total[2h])", 2 * kHour);
  EXPECT_THAT(warnings_, ElementsAre(HasSubstr("samples reach back to 1970-01-04T18")));
}

}  // namespace
}  // namespace atalaya::promql
