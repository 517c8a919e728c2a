#include "stress/objective.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "stress/run_record.h"

namespace atalaya::stress {
namespace {

using testing::HasSubstr;

ObjectiveResult Weighed(const std::string& text, const RunRecord& record) {
  const Result<std::vector<Objective>> objectives = ParseObjectives(text);
  EXPECT_TRUE(objectives.has_value()) << text;
  return WeighOne(objectives->front(), record);
}

RunRecord SomeRun() {
  RunRecord record;
  record.load_ns = 2'000'000'000;
  record.ledger.expected = 1000;
  record.ledger.received = 998;
  record.messages.received = 998;
  record.messages.response.Record(4'000'000, 998);
  record.totals.wanted = 10;
  return record;
}

TEST(Objective, WeighsEachFigureInItsUnit) {
  const RunRecord record = SomeRun();
  const std::pair<const char*, bool> kCases[] = {
      {"p99<10ms", true},  {"p99 < 4ms", false},    {"p50<=4100us", true}, {"p99.9>1ms", true},
      {"max<1s", true},    {"mean<3ms", false},     {"loss=0", false},     {"loss<0.3%", true},
      {"loss<=2", true},   {"duplicates=0", true},  {"errors=0", true},    {"rate>=499/s", true},
      {"rate>500", false}, {"false_alerts=0", true}};
  for (const auto& [text, met] : kCases) {
    EXPECT_EQ(Weighed(text, record).met, met) << text << ": " << Weighed(text, record).measured;
  }
}

TEST(Objective, IsNotMetWhereNothingWasMeasured) {
  RunRecord record;
  record.alerts_note = "nobody was asked";
  for (const char* const text : {"p99<10ms", "detect<5s", "recover<5s", "false_alerts=0"}) {
    const ObjectiveResult result = Weighed(text, record);
    EXPECT_FALSE(result.met) << text;
    EXPECT_EQ(result.measured, "not measured");
  }
}

TEST(Objective, WaitsForEveryFault) {
  RunRecord record;
  record.alerts = {{"ServerDown", "", false, 3'000'000'000, {}}};
  record.faults.resize(2);
  record.faults[0].began_ns = 1'000'000'000;
  record.faults[0].ended_ns = 4'000'000'000;
  record.faults[0].recovered_ns = 5'000'000'000;
  record.faults[0].alert = 0;
  EXPECT_FALSE(Weighed("recover<5s", record).met);  // The second one never did.
  record.faults.pop_back();
  EXPECT_TRUE(Weighed("recover<=1s", record).met);
  EXPECT_TRUE(Weighed("detect<=2s", record).met);
  EXPECT_FALSE(Weighed("detect<2s", record).met);
}

TEST(Objective, SaysWhatWouldBeRight) {
  const std::pair<const char*, const char*> kCases[] = {
      {"fast", "write p99<10ms"},       {"p99<10", "write a time as 10ms"},
      {"loss<10ms", "a share as 0.1%"}, {"speed>3", "there is no figure \"speed\""},
      {"p100<1ms", "no figure"},        {"p99<10ms,", "no objective"}};
  for (const auto& [text, words] : kCases) {
    const auto objectives = ParseObjectives(text);
    ASSERT_FALSE(objectives.has_value()) << text;
    EXPECT_THAT(objectives.error().message, HasSubstr(words));
  }
}

}  // namespace
}  // namespace atalaya::stress
