#include "alertd/rules/rule_engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "alertd/tests/rule_bench.h"

namespace atalaya::alertd {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

constexpr char kHot[] = R"(
  [[rule]]
  alert = "Hot"
  expr = "degrees > 80"
  for = "1m"
  severity = "warning"
  summary = "{{ $labels.room }} is at {{ $value }}"
)";

constexpr char kHotAtOnce[] = R"(
  [[rule]]
  alert = "Hot"
  expr = "degrees > 80"
)";

TEST(RuleEngine, StaysPendingUntilForIsOver) {
  RuleBench bench(kHot);
  bench.At(0s).Series("degrees", {{"room", "cellar"}}, 90);
  EXPECT_EQ(bench.StateAt(0s), AlertState::kPending);
  EXPECT_EQ(bench.StateAt(59s), AlertState::kPending);
  EXPECT_THAT(bench.told, IsEmpty());
  EXPECT_EQ(bench.StateAt(60s), AlertState::kFiring);
  ASSERT_THAT(bench.told, SizeIs(1));
  EXPECT_EQ(bench.told[0].labels.ToString(),
            R"({alertname="Hot", room="cellar", severity="warning"})");
  EXPECT_EQ(bench.told[0].annotations.at("summary"), "cellar is at 90");
  EXPECT_EQ(bench.told[0].active_since_ms, bench.Ms(0s));
  EXPECT_EQ(bench.told[0].fired_at_ms, bench.Ms(60s));
}

TEST(RuleEngine, StartsForAgainAfterTheConditionBroke) {
  RuleBench bench(kHot);
  bench.At(0s).Series("degrees", {}, 90).At(50s).Series("degrees", {}, 70);
  bench.At(56s).Series("degrees", {}, 90);
  EXPECT_EQ(bench.StateAt(55s), AlertState::kInactive);
  EXPECT_EQ(bench.StateAt(1min + 50s), AlertState::kPending);
  EXPECT_EQ(bench.StateAt(2min + 30s), AlertState::kFiring);
  EXPECT_THAT(bench.told, SizeIs(1));
}

TEST(RuleEngine, TellsRecoveredWithTheValue) {
  RuleBench bench(kHotAtOnce);
  bench.At(0s).Series("degrees", {}, 90).At(10s).Series("degrees", {}, 60);
  EXPECT_EQ(bench.StateAt(5s), AlertState::kFiring);
  EXPECT_EQ(bench.StateAt(10s), AlertState::kInactive);
  ASSERT_THAT(bench.told, SizeIs(2));
  EXPECT_EQ(bench.told[1].resolve_reason, ResolveReason::kRecovered);
  EXPECT_EQ(bench.told[1].value, 60);
  EXPECT_EQ(bench.told[1].annotations.at("resolved"), "recovered, at 60");
  EXPECT_EQ(bench.told[1].resolved_at_ms, bench.Ms(10s));
}

TEST(RuleEngine, TellsNoLongerReportedWhereTheSeriesEnded) {
  RuleBench bench(kHotAtOnce);
  bench.At(0s).Series("degrees", {}, 90).At(10s).Gone("degrees", {});
  EXPECT_EQ(bench.StateAt(10s), AlertState::kInactive);
  ASSERT_THAT(bench.told, SizeIs(2));
  EXPECT_EQ(bench.told[1].resolve_reason, ResolveReason::kNoLongerReported);
  EXPECT_EQ(bench.told[1].annotations.at("resolved"), "no longer reported");
}

TEST(RuleEngine, TellsWhatIsMissingOnlyOnceEveryTargetWasLookedAt) {
  RuleBench bench(R"([[rule]]
    alert = "NoReadings"
    absent = { metric = "degrees" })");
  EXPECT_TRUE(bench.EvaluateAt(0s, false));
  EXPECT_THAT(bench.Alerts(), SizeIs(0));
  EXPECT_TRUE(bench.EvaluateAt(5s, true));
  EXPECT_THAT(bench.Alerts(), SizeIs(1));
  EXPECT_TRUE(bench.EvaluateAt(10s, false));
  EXPECT_THAT(bench.Alerts(), SizeIs(1));
}

// A sample that comes late does not change what was said of its time.
TEST(RuleEngine, FiresNothingForALateSample) {
  RuleBench bench(R"toml([[rule]]
    alert = "Hot"
    expr = "degrees > 80"
    [[rule]]
    record = "degrees:sum"
    expr = "sum(degrees)")toml");
  bench.At(0s).Series("degrees", {}, 70);
  bench.StateAt(1min);
  const auto recorded = [&bench] {
    return std::count_if(bench.written.begin(), bench.written.end(), [](const auto& each) {
      return each.labels.Get("__name__") == "degrees:sum";
    });
  };
  EXPECT_EQ(recorded(), 13);
  bench.At(30s).Series("degrees", {}, 90).At(40s).Series("degrees", {}, 70);
  EXPECT_EQ(bench.StateAt(1min + 5s), AlertState::kInactive);
  EXPECT_THAT(bench.told, SizeIs(0));
  EXPECT_EQ(recorded(), 14) << "the past is not recorded anew";
}

TEST(RuleEngine, KeepsOneAlertPerSeries) {
  RuleBench bench(kHotAtOnce);
  bench.At(0s).Series("degrees", {{"room", "a"}}, 90).Series("degrees", {{"room", "b"}}, 95);
  EXPECT_EQ(bench.StateAt(0s), AlertState::kFiring);
  EXPECT_THAT(bench.Alerts(), SizeIs(2));
}

// As when a group of alerts is to be told; until it was stored once.
TEST(RuleEngine, HandsOverWhatFiresWhenThatIsDue) {
  RuleBench bench(kHotAtOnce);
  bench.At(0s).Series("degrees", {{"room", "a"}}, 90).Series("degrees", {{"room", "b"}}, 95);
  ASSERT_TRUE(bench.EvaluateAt(0s));
  EXPECT_THAT(bench.told, SizeIs(2));
  ASSERT_EQ(bench.handed_over, 1);
  bench.due = true;
  bench.refuse_changes = true;
  EXPECT_FALSE(bench.EvaluateAt(5s));
  bench.refuse_changes = false;
  ASSERT_TRUE(bench.EvaluateAt(10s));
  EXPECT_EQ(bench.handed_over, 2);
  ASSERT_TRUE(bench.EvaluateAt(15s));
  EXPECT_EQ(bench.handed_over, 2);
}

TEST(RuleEngine, KeepsStateAcrossARestartWithoutTellingAgain) {
  RuleBench bench(kHotAtOnce);
  bench.At(0s).Series("degrees", {}, 90);
  EXPECT_EQ(bench.StateAt(0s), AlertState::kFiring);
  bench.Restart(20s);
  ASSERT_THAT(bench.Alerts(), SizeIs(1));
  EXPECT_EQ(bench.StateAt(25s), AlertState::kFiring);
  EXPECT_THAT(bench.told, SizeIs(1));
  EXPECT_EQ(bench.Alerts()[0].fired_at_ms, bench.Ms(0s));
}

TEST(RuleEngine, CountsForAcrossARestartButNotTheTimeSwitchedOff) {
  RuleBench bench(kHot);
  bench.At(0s).Series("degrees", {}, 90);
  EXPECT_EQ(bench.StateAt(40s), AlertState::kPending);
  bench.Restart(10min);
  EXPECT_EQ(bench.StateAt(10min + 15s), AlertState::kPending);
  EXPECT_EQ(bench.StateAt(10min + 20s), AlertState::kFiring);
}

TEST(RuleEngine, ResolvesNothingBeforeEveryTargetWasLookedAt) {
  RuleBench bench(kHotAtOnce);
  bench.At(0s).Series("degrees", {}, 90).At(10s).Gone("degrees", {});
  EXPECT_EQ(bench.StateAt(0s), AlertState::kFiring);
  bench.Restart(1h);
  EXPECT_TRUE(bench.EvaluateAt(1h, /*settled=*/false));
  EXPECT_THAT(bench.Alerts(), SizeIs(1));
  EXPECT_TRUE(bench.EvaluateAt(1h + 5s, /*settled=*/true));
  EXPECT_THAT(bench.Alerts(), IsEmpty());
  EXPECT_THAT(bench.told, SizeIs(2));
}

TEST(RuleEngine, HandsChangesOverAgainWhereTheyCouldNotBeStored) {
  RuleBench bench(kHotAtOnce);
  bench.At(0s).Series("degrees", {}, 90);
  bench.refuse_changes = true;
  EXPECT_FALSE(bench.EvaluateAt(0s));
  bench.refuse_changes = false;
  EXPECT_TRUE(bench.EvaluateAt(5s));
  ASSERT_THAT(bench.told, SizeIs(1));
  bench.Restart(10s);
  EXPECT_THAT(bench.Alerts(), SizeIs(1));
}

TEST(RuleEngine, ResolvesTheAlertsOfARuleThatIsGone) {
  RuleBench bench(kHotAtOnce);
  bench.At(0s).Series("degrees", {}, 90);
  EXPECT_EQ(bench.StateAt(0s), AlertState::kFiring);
  bench.ReplaceRules("");
  EXPECT_EQ(bench.StateAt(5s), AlertState::kInactive);
  ASSERT_THAT(bench.told, SizeIs(2));
  EXPECT_EQ(bench.told[1].resolve_reason, ResolveReason::kNoLongerReported);
}

TEST(RuleEngine, EndsTheSeriesOfARuleThatIsGone) {
  RuleBench bench(kHotAtOnce);
  bench.At(0s).Series("degrees", {}, 90);
  EXPECT_EQ(bench.StateAt(0s), AlertState::kFiring);
  bench.written.clear();
  bench.ReplaceRules("");
  EXPECT_TRUE(bench.EvaluateAt(5s));
  ASSERT_THAT(bench.written, SizeIs(2));
  for (const telemetry::LabelledSample& each : bench.written)
    EXPECT_TRUE(telemetry::IsStaleMarker(each.sample.value)) << each.labels.ToString();
}

TEST(RuleEngine, KeepsAlertsOfARuleThatIsReplacedByItself) {
  RuleBench bench(kHotAtOnce);
  bench.At(0s).Series("degrees", {}, 90);
  EXPECT_EQ(bench.StateAt(0s), AlertState::kFiring);
  bench.ReplaceRules(kHotAtOnce);
  EXPECT_EQ(bench.StateAt(5s), AlertState::kFiring);
  EXPECT_THAT(bench.told, SizeIs(1));
}

TEST(RuleEngine, KeepsAlertsAsTheyAreWhileTheirRuleFails) {
  RuleBench bench(R"(
    [[rule]]
    alert = "Hot"
    expr = "degrees > 80"
    labels = { room = "same" }
  )");
  bench.At(0s).Series("degrees", {{"room", "a"}}, 90);
  EXPECT_EQ(bench.StateAt(0s), AlertState::kFiring);
  bench.At(3s).Series("degrees", {{"room", "b"}}, 90);
  EXPECT_EQ(bench.StateAt(5s), AlertState::kFiring);
  EXPECT_THAT(bench.Snapshot().rules[0].last_error, testing::HasSubstr("same labels"));
  EXPECT_THAT(bench.told, SizeIs(1));
}

TEST(RuleEngine, LabelsAlertsThatBeginDuringADrill) {
  RuleBench bench(kHotAtOnce, DrillConfig{{{"server", "box"}}, false});
  bench.At(0s).Series("degrees", {{"server", "box"}}, 90);
  bench.At(0s).Series("degrees", {{"server", "other"}}, 90);
  EXPECT_EQ(bench.StateAt(0s), AlertState::kFiring);
  const std::vector<Alert> alerts = bench.Alerts();
  ASSERT_THAT(alerts, SizeIs(2));
  EXPECT_EQ(alerts[0].labels.Get("server"), "box");
  EXPECT_EQ(alerts[0].labels.Get("drill"), "true");
  EXPECT_EQ(alerts[1].labels.Get("drill"), "");
}

TEST(RuleEngine, KeepsTheDrillLabelUntilItResolves) {
  RuleBench bench(kHotAtOnce, DrillConfig{{{"server", "box"}}, false});
  bench.At(0s).Series("degrees", {{"server", "box"}}, 90);
  EXPECT_EQ(bench.StateAt(0s), AlertState::kFiring);
  bench.Restart(5s);
  EXPECT_EQ(bench.StateAt(10s), AlertState::kFiring);
  ASSERT_THAT(bench.Alerts(), SizeIs(1));
  EXPECT_EQ(bench.Alerts()[0].labels.Get("drill"), "true");
  bench.At(12s).Series("degrees", {{"server", "box"}}, 20);
  EXPECT_EQ(bench.StateAt(15s), AlertState::kInactive);
  ASSERT_THAT(bench.told, SizeIs(2));
  EXPECT_EQ(bench.told[1].labels.Get("drill"), "true");
}

}  // namespace
}  // namespace atalaya::alertd
