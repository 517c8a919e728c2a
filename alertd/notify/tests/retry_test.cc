#include "alertd/notify/retry.h"

#include <gtest/gtest.h>

#include "base/clock.h"

namespace atalaya::alertd {
namespace {

using std::chrono::milliseconds;
using namespace std::chrono_literals;

TEST(RetryDelay, DoublesUpToFiveMinutes) {
  std::vector<std::int64_t> seconds;
  for (std::int64_t attempt = 1; attempt <= 11; ++attempt)
    seconds.push_back(RetryDelay(attempt, 0.5, {}).count() / 1000);
  EXPECT_EQ(seconds, (std::vector<std::int64_t>{1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300}));
}

TEST(RetryDelay, JitterIsAFifthEachWayAndNeverBeyondTheLongest) {
  EXPECT_EQ(RetryDelay(3, 0, {}), 3'200ms);
  EXPECT_EQ(RetryDelay(3, 0.999999, {}), 4'800ms);
  EXPECT_EQ(RetryDelay(60, 0.999999, {}), kLongestRetry);
}

TEST(RetryDelay, HonoursRetryAfterWithinItsLimits) {
  EXPECT_EQ(RetryDelay(1, 0.5, 7s), 7s);
  EXPECT_EQ(RetryDelay(9, 0.5, 7s), 7s);
  EXPECT_EQ(RetryDelay(1, 0.5, 0s), kFirstRetry);
  EXPECT_EQ(RetryDelay(1, 0.5, 48h), kLongestRetryAfter);
}

TEST(ParseRetryAfter, TakesSecondsAndDates) {
  const std::int64_t now_ms = 1'795'221'366'000;  // 00:36:06
  EXPECT_EQ(ParseRetryAfter("120", now_ms), 120s);
  EXPECT_EQ(ParseRetryAfter(" 0 ", now_ms), 0s);
  EXPECT_EQ(ParseRetryAfter("Sat, 21 Nov 2026 00:36:16 GMT", now_ms), 10s);
  EXPECT_EQ(ParseRetryAfter("Sat, 21 Nov 2020 00:36:16 GMT", now_ms), 0s);
  EXPECT_EQ(ParseRetryAfter("99999999999999999999", now_ms), kLongestRetryAfter);
  EXPECT_FALSE(ParseRetryAfter("soon", now_ms));
  EXPECT_FALSE(ParseRetryAfter("-1", now_ms));
  EXPECT_FALSE(ParseRetryAfter("", now_ms));
}

}  // namespace
}  // namespace atalaya::alertd
