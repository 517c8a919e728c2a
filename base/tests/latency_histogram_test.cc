#include "base/latency_histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

namespace atalaya {
namespace {

TEST(LatencyHistogram, PercentilesAreWithinTheNamedError) {
  std::mt19937_64 random(7);
  std::lognormal_distribution<double> latencies(12, 2);
  LatencyHistogram histogram;
  std::vector<std::int64_t> exact;
  for (int i = 0; i < 20'000; ++i) {
    const auto value = static_cast<std::int64_t>(latencies(random));
    histogram.Record(value);
    exact.push_back(value);
  }
  std::sort(exact.begin(), exact.end());
  for (const double percent : {0.1, 50.0, 90.0, 99.0, 99.9, 100.0}) {
    const auto rank = static_cast<std::size_t>(std::ceil(percent / 100 * 20'000)) - 1;
    const auto expected = static_cast<double>(exact[rank]);
    EXPECT_NEAR(static_cast<double>(histogram.PercentileNs(percent)), expected, expected / 128 + 1)
        << percent;
  }
}

TEST(LatencyHistogram, MergeAddsCounts) {
  LatencyHistogram a, b;
  a.Record(10, 3);
  b.Record(1'000'000);
  a.Merge(b);
  EXPECT_EQ(a.count(), 4u);
  EXPECT_EQ(a.min_ns(), 10);
  EXPECT_EQ(a.max_ns(), 1'000'000);
  EXPECT_EQ(a.PercentileNs(75), 10);
  EXPECT_EQ(a.CountAtMost(11), 3u);
}

TEST(LatencyHistogram, HoldsTheExtremes) {
  LatencyHistogram histogram;
  EXPECT_EQ(histogram.PercentileNs(99), 0);
  histogram.Record(-5);
  histogram.Record(std::int64_t{1} << 60);
  EXPECT_EQ(histogram.min_ns(), 0);
  EXPECT_EQ(histogram.count(), 2u);
}

}  // namespace
}  // namespace atalaya
