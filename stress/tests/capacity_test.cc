#include "stress/capacity.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace atalaya::stress {
namespace {

using testing::HasSubstr;

constexpr std::int64_t kMs = 1'000'000;

CapacityPlan Plan() {
  CapacityPlan plan;
  plan.slo = "p99<10ms,loss=0";
  plan.objectives = *ParseObjectives(plan.slo);
  plan.max_rate_per_s = 1e6;
  return plan;
}

// A server that answers in 1 ms up to `capacity`, and is overrun above it.
RunRecord RunAt(double rate_per_s, double capacity) {
  RunRecord record;
  const auto count = static_cast<std::uint64_t>(rate_per_s);
  record.load_ns = 1'000 * kMs;
  record.planned = record.ledger.sent = record.ledger.expected = count;
  record.ledger.received = record.messages.received = count;
  record.totals.connected = 2;
  record.messages.response.Record(rate_per_s <= capacity ? kMs : 200 * kMs, count);
  record.worker_cpu_percent = {10};
  TimelineRow row;
  row.to_ns = record.load_ns;
  row.server = ServerPoint{190, 1'000'000};
  record.timeline.push_back(row);
  return record;
}

TEST(Capacity, FindsTheHighestRateThatMeetsTheObjectives) {
  int runs = 0;
  const Result<CapacityRecord> found = FindCapacity(Plan(), 1000, 2, [&](double rate) {
    ++runs;
    return RunAt(rate, 7300);
  });
  ASSERT_TRUE(found.has_value());
  EXPECT_LE(found->capacity_per_s, 7300);
  EXPECT_GT(found->capacity_per_s, 7300 / 1.1);
  EXPECT_THAT(found->limit, HasSubstr("the server's CPU"));
  EXPECT_THAT(found->sentence, HasSubstr("in each of 3 runs"));
  EXPECT_LE(runs, 20);
  int repetitions = 0;
  for (const Probe& probe : found->probes) {
    repetitions += probe.repetition && probe.rate_per_s == found->capacity_per_s && probe.met;
  }
  EXPECT_EQ(repetitions, 3);
}

TEST(Capacity, GoesDownWhereTheFirstRateFails) {
  const auto found = FindCapacity(Plan(), 8000, 2, [](double rate) { return RunAt(rate, 700); });
  EXPECT_LE(found->capacity_per_s, 700);
  EXPECT_GT(found->capacity_per_s, 600);
}

TEST(Capacity, TakesARateThatFailsOnceForTooHigh) {
  int at_limit = 0;
  const auto found = FindCapacity(Plan(), 1000, 2, [&](double rate) {
    const bool unlucky = rate > 6500 && rate <= 7300 && ++at_limit % 3 == 0;
    return RunAt(rate, unlucky ? 0 : 7300);
  });
  EXPECT_LE(found->capacity_per_s, 6900);
  EXPECT_GT(found->capacity_per_s, 5000);
}

TEST(Capacity, SaysSoWhereNoRateWillDo) {
  const auto found = FindCapacity(Plan(), 1000, 2, [](double rate) { return RunAt(rate, 0); });
  EXPECT_EQ(found->capacity_per_s, 0);
  EXPECT_THAT(found->sentence, HasSubstr("No rate down to"));
}

TEST(Capacity, StopsAtTheHighestRateAllowed) {
  CapacityPlan plan = Plan();
  plan.max_rate_per_s = 3000;
  const auto found = FindCapacity(plan, 1000, 2, [](double rate) { return RunAt(rate, 1e9); });
  EXPECT_EQ(found->capacity_per_s, 3000);
  EXPECT_TRUE(found->at_limit);
  EXPECT_THAT(found->sentence, HasSubstr("At least 3,000"));
}

TEST(Capacity, EndsWhereARunIsInterrupted) {
  const auto found = FindCapacity(Plan(), 1000, 2, [](double rate) {
    RunRecord record = RunAt(rate, 1e9);
    record.interrupted = rate > 4000;
    return record;
  });
  EXPECT_TRUE(found->interrupted);
  EXPECT_EQ(found->probes.size(), 3u);
}

TEST(Capacity, SeesTheKneeWhereLatencyTurnsUp) {
  std::vector<Probe> probes;
  constexpr std::pair<int, int> kPoints[] = {
      {1000, 1}, {2000, 1}, {3000, 2}, {4000, 30}, {5000, 100}};
  for (const auto& [rate, p99_ms] : kPoints) {
    Probe probe;
    probe.rate_per_s = rate;
    probe.p99_ns = p99_ms * kMs;
    probes.push_back(probe);
  }
  EXPECT_EQ(FindKnee(probes), 3000);
  probes.resize(3);
  EXPECT_EQ(FindKnee(probes), 0);
}

}  // namespace
}  // namespace atalaya::stress
