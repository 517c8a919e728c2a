// The life of alerts beyond `for`: what keeps one, what is written of it, groups and recording.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "alertd/tests/rule_bench.h"
#include "telemetry/sample.h"

namespace atalaya::alertd {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr char kKept[] = R"(
  [[rule]]
  alert = "Hot"
  expr = "degrees > 80"
  keep_firing_for = "1m"
)";

TEST(KeepFiringFor, HoldsTheAlertUntilTheTimeIsOver) {
  RuleBench bench(kKept);
  bench.At(0s).Series("degrees", {}, 90).At(10s).Series("degrees", {}, 60);
  EXPECT_EQ(bench.StateAt(65s), AlertState::kFiring);
  EXPECT_EQ(bench.StateAt(70s), AlertState::kInactive);
  ASSERT_THAT(bench.told, SizeIs(2));
  EXPECT_EQ(bench.told[1].resolve_reason, ResolveReason::kRecovered);
}

TEST(KeepFiringFor, BeginsAnewWhereTheConditionCameBack) {
  RuleBench bench(kKept);
  bench.At(0s).Series("degrees", {}, 90).At(10s).Series("degrees", {}, 60);
  bench.At(60s).Series("degrees", {}, 90).At(65s).Series("degrees", {}, 60);
  EXPECT_EQ(bench.StateAt(120s), AlertState::kFiring);
  EXPECT_EQ(bench.StateAt(125s), AlertState::kInactive);
}

TEST(KeepFiringFor, DoesNotCountTheTimeSwitchedOff) {
  RuleBench bench(kKept);
  bench.At(0s).Series("degrees", {}, 90).At(10s).Series("degrees", {}, 60);
  EXPECT_EQ(bench.StateAt(40s), AlertState::kFiring);
  bench.Restart(10min);
  EXPECT_EQ(bench.StateAt(10min + 25s), AlertState::kFiring);
  EXPECT_EQ(bench.StateAt(10min + 30s), AlertState::kInactive);
}

TEST(KeepFiringFor, DoesNotHoldAPendingAlert) {
  RuleBench bench(std::string(kKept) + "for = \"1m\"");
  bench.At(0s).Series("degrees", {}, 90).At(10s).Series("degrees", {}, 60);
  EXPECT_EQ(bench.StateAt(10s), AlertState::kInactive);
  EXPECT_THAT(bench.told, IsEmpty());
}

TEST(Recovery, WaitsForTheSecondCondition) {
  RuleBench bench(R"(
    [[rule]]
    alert = "Hot"
    expr = "degrees > 80"
    recover = "degrees < 70"
  )");
  bench.At(0s).Series("degrees", {}, 90).At(10s).Series("degrees", {}, 75);
  bench.At(60s).Series("degrees", {}, 65);
  EXPECT_EQ(bench.StateAt(59s), AlertState::kFiring);
  EXPECT_EQ(bench.StateAt(60s), AlertState::kInactive);
  EXPECT_EQ(bench.told.back().value, 65);
}

TEST(Recovery, DoesNotHoldWhatIsNoLongerReported) {
  RuleBench bench(R"(
    [[rule]]
    alert = "Hot"
    temperature = { above = 80, recover = 70 }
  )");
  const RuleBench::Pairs sensor = {{"instance", "a"}, {"job", "node"}};
  bench.At(0s).Series("node_hwmon_temp_celsius", sensor, 90);
  bench.At(10s).Gone("node_hwmon_temp_celsius", sensor);
  EXPECT_EQ(bench.StateAt(5s), AlertState::kFiring);
  EXPECT_EQ(bench.StateAt(10s), AlertState::kInactive);
  EXPECT_EQ(bench.told.back().resolve_reason, ResolveReason::kNoLongerReported);
}

TEST(NoData, TypedRulesKeepTheirAlertWhileTheTargetIsDown) {
  RuleBench bench(R"(
    [[rule]]
    alert = "DiskSpaceLow"
    disk = { mount = "/", free_below = "10%" }
  )");
  const RuleBench::Pairs disk = {{"instance", "a"}, {"job", "node"}, {"mountpoint", "/"}};
  const RuleBench::Pairs target = {{"instance", "a"}, {"job", "node"}};
  bench.At(0s).Series("node_filesystem_avail_bytes", disk, 5).Series("up", target, 1);
  bench.Series("node_filesystem_size_bytes", disk, 100);
  bench.At(10s).Gone("node_filesystem_avail_bytes", disk).Series("up", target, 0);
  EXPECT_EQ(bench.StateAt(1h), AlertState::kFiring);
  bench.At(1h + 5s).Series("up", target, 1).Series("node_filesystem_avail_bytes", disk, 50);
  EXPECT_EQ(bench.StateAt(1h + 5s), AlertState::kInactive);
  ASSERT_THAT(bench.told, SizeIs(2));
  EXPECT_EQ(bench.told[1].resolve_reason, ResolveReason::kRecovered);
  EXPECT_EQ(bench.told[1].value, 50);
}

TEST(NoData, ResolvesWhereTheTargetIsUpAndTheSeriesGone) {
  RuleBench bench(R"(
    [[rule]]
    alert = "Hot"
    expr = "degrees > 80"
    no_data = "keep"
  )");
  const RuleBench::Pairs target = {{"instance", "a"}, {"job", "node"}};
  bench.At(0s).Series("degrees", target, 90).Series("up", target, 1);
  bench.At(10s).Gone("degrees", target);
  EXPECT_EQ(bench.StateAt(10s), AlertState::kInactive);
  EXPECT_EQ(bench.told.back().resolve_reason, ResolveReason::kNoLongerReported);
}

TEST(NoData, FiresOnRequestAndTellsWhy) {
  RuleBench bench(R"(
    [[rule]]
    alert = "Hot"
    expr = 'degrees{room="cellar"} > 80'
    no_data = "alert"
  )");
  bench.At(0s).Series("degrees", {{"room", "cellar"}}, 20);
  bench.At(10s).Gone("degrees", {{"room", "cellar"}});
  EXPECT_EQ(bench.StateAt(5s), AlertState::kInactive);
  EXPECT_EQ(bench.StateAt(10s), AlertState::kFiring);
  EXPECT_EQ(bench.Alerts()[0].labels.ToString(),
            R"({alertname="Hot", no_data="true", room="cellar"})");
}

TEST(Recording, IsSeenByTheNextRuleOfTheSameEvaluation) {
  RuleBench bench(R"toml(
    [[rule]]
    record = "room:degrees:max"
    expr = "max by (room) (degrees)"
    labels = { unit = "celsius" }

    [[rule]]
    alert = "Hot"
    expr = "room:degrees:max > 80"
  )toml");
  bench.At(0s).Series("degrees", {{"room", "a"}, {"sensor", "1"}}, 90);
  EXPECT_TRUE(bench.EvaluateAt(0s));
  ASSERT_THAT(bench.Alerts(), SizeIs(1));
  EXPECT_EQ(bench.Alerts()[0].labels.ToString(), R"({alertname="Hot", room="a", unit="celsius"})");
}

TEST(Recording, MarksSeriesThatEndedAsStale) {
  RuleBench bench(R"(
    [[rule]]
    record = "hot"
    expr = "degrees > 80"
  )");
  bench.At(0s).Series("degrees", {}, 90).At(10s).Series("degrees", {}, 60);
  EXPECT_TRUE(bench.EvaluateAt(5s));
  ASSERT_THAT(bench.written, SizeIs(1));
  EXPECT_EQ(bench.written[0].labels.ToString(), "hot");
  EXPECT_EQ(bench.written[0].sample.value, 90);
  EXPECT_TRUE(bench.EvaluateAt(10s));
  ASSERT_THAT(bench.written, SizeIs(2));
  EXPECT_TRUE(telemetry::IsStaleMarker(bench.written[1].sample.value));
  EXPECT_TRUE(bench.EvaluateAt(15s));
  EXPECT_THAT(bench.written, SizeIs(2));
}

TEST(Recording, RefusesMoreSeriesThanItsLimit) {
  RuleBench bench(R"(
    [[group]]
    name = "rooms"
    limit = 1
    [[group.rule]]
    record = "hot"
    expr = "degrees"
  )");
  bench.At(0s).Series("degrees", {{"room", "a"}}, 1).Series("degrees", {{"room", "b"}}, 2);
  EXPECT_TRUE(bench.EvaluateAt(0s));
  EXPECT_THAT(bench.Snapshot().rules[0].last_error, HasSubstr("may have 1"));
  EXPECT_THAT(bench.written, IsEmpty());
}

TEST(Alerts, AreWrittenAsSeriesWithTheirStateAndItsBeginning) {
  RuleBench bench(R"(
    [[rule]]
    alert = "Hot"
    expr = "degrees > 80"
    for = "10s"
  )");
  bench.At(0s).Series("degrees", {}, 90).At(15s).Series("degrees", {}, 60);
  const auto values = [&](const std::string& series) {
    std::vector<double> found;
    for (const telemetry::LabelledSample& each : bench.written) {
      if (each.labels.ToString() != series) continue;
      found.push_back(telemetry::IsStaleMarker(each.sample.value) ? -1 : each.sample.value);
    }
    return found;
  };
  EXPECT_EQ(bench.StateAt(15s), AlertState::kInactive);
  const double since = static_cast<double>(bench.Ms(0s) / 1000);
  EXPECT_THAT(values(R"(ALERTS{alertname="Hot", alertstate="pending"})"), ElementsAre(1, 1, -1));
  EXPECT_THAT(values(R"(ALERTS{alertname="Hot", alertstate="firing"})"), ElementsAre(1, -1));
  EXPECT_THAT(values(R"(ALERTS_FOR_STATE{alertname="Hot"})"), ElementsAre(since, since, since, -1));
}

TEST(Groups, KeepAnIntervalOfTheirOwn) {
  RuleBench bench(R"(
    [[group]]
    name = "slow"
    interval = "1m"
    [[group.rule]]
    record = "slow"
    expr = "degrees"
    [[group]]
    name = "usual"
    [[group.rule]]
    record = "usual"
    expr = "degrees"
  )");
  bench.At(0s).Series("degrees", {}, 90);
  bench.StateAt(2min);
  std::map<std::string, int> counts;
  for (const telemetry::LabelledSample& each : bench.written) ++counts[each.labels.ToString()];
  EXPECT_EQ(counts["slow"], 3);
  EXPECT_EQ(counts["usual"], 25);
}

}  // namespace
}  // namespace atalaya::alertd
