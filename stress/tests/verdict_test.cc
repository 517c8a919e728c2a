#include "stress/verdict.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace atalaya::stress {
namespace {

using testing::HasSubstr;

constexpr std::int64_t kMillisecondNs = 1'000'000;

// A run that went well: 1000 messages, 1 ms each, the generator on time and at ease.
RunRecord GoodRun() {
  RunRecord record;
  record.planned = 1000;
  record.load_ns = 1'000 * kMillisecondNs;
  record.totals.connected = 4;
  record.totals.wanted = 4;
  record.ledger.sent = record.ledger.expected = 1000;
  record.ledger.received = 1000;
  record.messages.response.Record(kMillisecondNs, 1000);
  record.totals.attend_lag.Record(kMillisecondNs / 100, 1000);
  record.worker_cpu_percent = {20, 30};
  return record;
}

TEST(Verdict, IsValidWhereThePlanWasKept) {
  const Verdict verdict = Judge(GoodRun());
  EXPECT_EQ(verdict.validity, Validity::kValid);
  EXPECT_FALSE(verdict.target_failed);
  EXPECT_EQ(verdict.ExitCode(), 0);
  EXPECT_THAT(verdict.sentence, HasSubstr("every message sent arrived once and intact"));
}

TEST(Verdict, WeighsWhatWasSentAgainstThePlan) {
  RunRecord record = GoodRun();
  record.planned = 1050;
  EXPECT_EQ(Judge(record).validity, Validity::kDegraded);
  EXPECT_EQ(Judge(record).ExitCode(), kExitDegraded);
  record.planned = 1200;
  EXPECT_EQ(Judge(record).validity, Validity::kInvalid);
  EXPECT_EQ(Judge(record).ExitCode(), kExitInvalid);
}

TEST(Verdict, DistrustsAGeneratorThatIsLate) {
  RunRecord record = GoodRun();
  record.totals.attend_lag.Record(20 * kMillisecondNs, 20);
  record.messages.response.Record(100 * kMillisecondNs, 50);
  EXPECT_EQ(Judge(record).validity, Validity::kDegraded);
  record.totals.attend_lag.Record(200 * kMillisecondNs, 30);
  EXPECT_EQ(Judge(record).validity, Validity::kInvalid);
}

TEST(Verdict, DistrustsALatencyThatIsMostlyTheGeneratorsOwn) {
  RunRecord record = GoodRun();
  record.totals.attend_lag.Record(2 * kMillisecondNs, 20);
  record.messages.response.Record(3 * kMillisecondNs, 20);
  EXPECT_EQ(Judge(record).validity, Validity::kDegraded);
  record.messages.response.Record(5 * kMillisecondNs, 50);
  EXPECT_EQ(Judge(record).validity, Validity::kValid);
}

TEST(Verdict, DistrustsABusyGenerator) {
  RunRecord record = GoodRun();
  record.worker_cpu_percent = {20, 92};
  EXPECT_EQ(Judge(record).validity, Validity::kDegraded);
}

TEST(Verdict, SaysThatTheTargetFailedEvenWhereTheRunIsValid) {
  RunRecord record = GoodRun();
  record.ledger.received = 990;
  const Verdict verdict = Judge(record);
  EXPECT_EQ(verdict.validity, Validity::kValid);
  EXPECT_TRUE(verdict.target_failed);
  EXPECT_EQ(verdict.ExitCode(), kExitTargetFailed);
  EXPECT_THAT(verdict.sentence, HasSubstr("10 lost"));
  EXPECT_THAT(verdict.notes,
              testing::Contains(HasSubstr("990 messages that arrived; 10 never did")));
}

TEST(Verdict, AllowsDuplicatesThatTheQosAllows) {
  RunRecord record = GoodRun();
  record.ledger.duplicated = 3;
  EXPECT_FALSE(Judge(record).target_failed);
  record.ledger.doubled_wrongly = 3;
  EXPECT_TRUE(Judge(record).target_failed);
}

TEST(Verdict, ExcusesLossesAndFailuresAroundFaults) {
  RunRecord record = GoodRun();
  record.ledger.received = 950;
  record.ledger.lost_in_faults = 50;
  record.totals.failures[1] = record.totals.fault_failures[1] = 4;
  const Verdict verdict = Judge(record);
  EXPECT_FALSE(verdict.target_failed);
  EXPECT_THAT(verdict.sentence, HasSubstr("nothing was lost but 50 deliveries around faults"));
}

TEST(Verdict, HasACodeOfItsOwnForAnObjectiveThatIsMissed) {
  RunRecord record = GoodRun();
  record.scenario.objectives = *ParseObjectives("p99<2ms,p99<100us");
  const Verdict verdict = Judge(record);
  EXPECT_TRUE(verdict.objectives[0].met);
  EXPECT_FALSE(verdict.objectives[1].met);
  EXPECT_EQ(verdict.ExitCode(), kExitMissed);
}

TEST(Verdict, JudgesConnectionsWhereNothingIsPublished) {
  RunRecord record;
  record.totals.wanted = record.totals.connected = 100;
  record.load_ns = 1'000 * kMillisecondNs;
  const Verdict verdict = Judge(record);
  EXPECT_EQ(verdict.validity, Validity::kValid);
  EXPECT_THAT(verdict.sentence, HasSubstr("100 of 100 connections were ready"));
}

TEST(Verdict, IsInvalidWhereNothingCouldBeMeasured) {
  RunRecord record;
  record.planned = 100;
  record.totals.failures[static_cast<std::size_t>(FailureClass::kRefused)] = 4;
  const Verdict verdict = Judge(record);
  EXPECT_EQ(verdict.validity, Validity::kInvalid);
  EXPECT_EQ(verdict.ExitCode(), kExitTargetFailed);
  EXPECT_THAT(verdict.sentence, HasSubstr("4 refused"));
}

TEST(Verdict, BlamesThisMachineForItsOwnLimits) {
  RunRecord record = GoodRun();
  record.totals.failures[static_cast<std::size_t>(FailureClass::kLocal)] = 1;
  const Verdict verdict = Judge(record);
  EXPECT_FALSE(verdict.target_failed);
  EXPECT_EQ(verdict.ExitCode(), kExitInvalid);
}

}  // namespace
}  // namespace atalaya::stress
