#include "stress/schedule.h"

#include <gtest/gtest.h>

namespace atalaya::stress {
namespace {

constexpr std::int64_t kSecondNs = 1'000'000'000;

TEST(Schedule, PlansRateTimesDuration) {
  EXPECT_EQ(Schedule(1000, 3 * kSecondNs, 10).total(), 3000u);
  EXPECT_EQ(Schedule(333, kSecondNs, 7).total(), 333u);
  EXPECT_EQ(Schedule(0.5, 10 * kSecondNs, 1).total(), 5u);
  EXPECT_EQ(Schedule(2'000'000, 100 * kSecondNs, 20'000).total(), 200'000'000u);
}

TEST(Schedule, SpreadsMessagesEvenlyOverPairs) {
  const Schedule schedule(1000, kSecondNs, 4);
  EXPECT_EQ(schedule.DueNs(0, 0), 0);
  EXPECT_EQ(schedule.DueNs(1, 0), 1'000'000);
  EXPECT_EQ(schedule.DueNs(3, 0), 3'000'000);
  EXPECT_EQ(schedule.DueNs(0, 1), 4'000'000);
  EXPECT_EQ(schedule.DueNs(3, 249), 999'000'000);
}

TEST(Schedule, NeverDrifts) {
  const Schedule schedule(3, 3600 * kSecondNs, 1);
  EXPECT_EQ(schedule.DueNs(3 * 3600), 3600 * kSecondNs);
  EXPECT_EQ(schedule.total(), 10'800u);
}

TEST(Schedule, CountsExactlyTheMessagesDueBefore) {
  const Schedule schedule(1000, kSecondNs, 4);
  EXPECT_EQ(schedule.CountBefore(-5), 0u);
  EXPECT_EQ(schedule.CountBefore(0), 0u);
  EXPECT_EQ(schedule.CountBefore(1), 1u);
  EXPECT_EQ(schedule.CountBefore(1'000'000), 1u);
  EXPECT_EQ(schedule.CountBefore(1'000'001), 2u);
}

}  // namespace
}  // namespace atalaya::stress
