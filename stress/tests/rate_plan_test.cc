#include "stress/rate_plan.h"

#include <gtest/gtest.h>

#include "stress/arrivals.h"

namespace atalaya::stress {
namespace {

using std::chrono::milliseconds;

constexpr std::int64_t kSecondNs = 1'000'000'000;

std::vector<Phase> Steady(std::int64_t duration_ms) {
  return {{"load", milliseconds(duration_ms), 1, 1, {}}};
}

std::int64_t Due(const RatePlan& plan, double message) {
  std::size_t hint = 0;
  return plan.DueNs(message, &hint);
}

TEST(RatePlan, PlansRateTimesDuration) {
  EXPECT_EQ(RatePlan(Steady(3000), 1000).total(), 3000u);
  EXPECT_EQ(RatePlan(Steady(1000), 333).total(), 333u);
  EXPECT_EQ(RatePlan(Steady(10'000), 0.5).total(), 5u);
  EXPECT_EQ(RatePlan(Steady(100'000), 2'000'000).total(), 200'000'000u);
  EXPECT_EQ(RatePlan(Steady(1000), 0).total(), 0u);
}

TEST(RatePlan, NeverDrifts) {
  const RatePlan plan(Steady(3'600'000 + 1), 3);
  EXPECT_EQ(Due(plan, 3 * 3600), 3600 * kSecondNs);
}

TEST(RatePlan, CountsExactlyTheMessagesDueBefore) {
  const RatePlan plan(Steady(1000), 1000);
  EXPECT_EQ(plan.CountBefore(-5), 0u);
  EXPECT_EQ(plan.CountBefore(0), 0u);
  EXPECT_EQ(plan.CountBefore(1), 1u);
  EXPECT_EQ(plan.CountBefore(1'000'000), 1u);
  EXPECT_EQ(plan.CountBefore(1'000'001), 2u);
}

TEST(RatePlan, RampsEvenlyAndPausesWhereTheLoadIsZero) {
  const RatePlan plan({{"up", milliseconds(2000), 0, 1, {}},
                       {"pause", milliseconds(1000), 0, 0, {}},
                       {"steady", milliseconds(1000), 1, 1, {}}},
                      100);
  EXPECT_EQ(plan.total(), 200u);
  EXPECT_EQ(Due(plan, 25), kSecondNs);  // Half of 2 s ramps up a quarter of its 100 messages.
  EXPECT_EQ(Due(plan, 100), 3 * kSecondNs);
  EXPECT_EQ(Due(plan, 150), 3 * kSecondNs + kSecondNs / 2);
  EXPECT_EQ(Due(plan, 200), RatePlan::kNever);
  EXPECT_EQ(plan.CountBefore(3 * kSecondNs), 100u);
  for (double message = 1; message < 200; ++message) {
    EXPECT_GE(Due(plan, message), Due(plan, message - 1));
  }
}

TEST(FlowArrivals, SpreadsMessagesEvenlyOverPublishers) {
  const RatePlan plan(Steady(1000), 1000);
  FlowArrivals arrivals(&plan, {1, 3}, 4, false, 1);
  const std::pair<std::size_t, std::int64_t> wanted[] = {
      {0, 1'000'000}, {1, 3'000'000}, {0, 5'000'000}, {1, 7'000'000}};
  for (const auto& [turn, due_ns] : wanted) {
    EXPECT_EQ(arrivals.turn(), turn);
    EXPECT_EQ(arrivals.due_ns(), due_ns);
    arrivals.Advance();
  }
}

TEST(FlowArrivals, PoissonGapsHaveTheRateAsTheirMeanAndComeAgainForTheSameSeed) {
  const RatePlan plan(Steady(20'000), 1000);
  const auto dues = [&plan](std::uint64_t seed) {
    FlowArrivals arrivals(&plan, {0, 1}, 2, true, seed);
    std::vector<std::int64_t> found;
    for (; arrivals.due_ns() != RatePlan::kNever; arrivals.Advance()) {
      found.push_back(arrivals.due_ns());
    }
    return found;
  };
  const std::vector<std::int64_t> once = dues(7);
  EXPECT_EQ(once, dues(7));
  EXPECT_NE(once, dues(8));
  EXPECT_NEAR(static_cast<double>(once.size()), 20'000, 600);  // Four deviations.
  int short_gaps = 0;
  for (std::size_t i = 1; i < once.size(); ++i) short_gaps += once[i] - once[i - 1] < 693'147;
  EXPECT_NEAR(short_gaps / static_cast<double>(once.size()), 0.5, 0.02);  // The median is ln 2.
}

}  // namespace
}  // namespace atalaya::stress
