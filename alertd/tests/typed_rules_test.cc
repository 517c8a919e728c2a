#include "alertd/rules/typed_rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "alertd/tests/rule_bench.h"

namespace atalaya::alertd {
namespace {

using namespace std::chrono_literals;
using testing::SizeIs;

const RuleBench::Pairs kRoot = {{"mountpoint", "/"}, {"fstype", "ext4"}};

TEST(DiskRule, FiresOnlyAfterForDuration) {
  RuleBench bench(R"(
    [[rule]]
    alert = "DiskSpaceLow"
    disk  = { mount = "/", free_below = "10%" }
    for   = "5m"
  )");
  bench.At(0min)
      .Series("node_filesystem_avail_bytes", {{"mountpoint", "/"}}, 9)
      .Series("node_filesystem_size_bytes", {{"mountpoint", "/"}}, 100);
  EXPECT_EQ(bench.StateAt(0min), AlertState::kPending);
  EXPECT_EQ(bench.StateAt(4min + 59s), AlertState::kPending);
  EXPECT_EQ(bench.StateAt(5min), AlertState::kFiring);
}

TEST(DiskRule, JudgesEachMountByPercent) {
  RuleBench bench(R"([[rule]]
    alert = "DiskSpaceLow"
    disk = { free_below = "10%" })");
  const RuleBench::Pairs data = {{"mountpoint", "/data"}, {"fstype", "xfs"}};
  bench.At(0s).Series("node_filesystem_avail_bytes", kRoot, 50);
  bench.Series("node_filesystem_size_bytes", kRoot, 1000);
  bench.Series("node_filesystem_avail_bytes", data, 500);
  bench.Series("node_filesystem_size_bytes", data, 1000);
  EXPECT_EQ(bench.StateAt(0s), AlertState::kFiring);
  ASSERT_THAT(bench.Alerts(), SizeIs(1));
  EXPECT_EQ(bench.Alerts()[0].labels.Get("mountpoint"), "/");
  EXPECT_DOUBLE_EQ(bench.Alerts()[0].value, 5);
}

TEST(DiskRule, TakesASize) {
  RuleBench bench(R"([[rule]]
    alert = "DiskSpaceLow"
    disk = { free_below = "1KiB" })");
  bench.At(0s).Series("node_filesystem_avail_bytes", kRoot, 1023);
  EXPECT_EQ(bench.StateAt(0s), AlertState::kFiring);
  bench.At(1s).Series("node_filesystem_avail_bytes", kRoot, 1024);
  EXPECT_EQ(bench.StateAt(5s), AlertState::kInactive);
}

TEST(DiskRule, LeavesOutPseudoFileSystemsAndReadOnlyOnes) {
  RuleBench bench(R"([[rule]]
    alert = "DiskSpaceLow"
    disk = { free_below = "1KiB" })");
  const RuleBench::Pairs squash = {{"mountpoint", "/snap"}, {"fstype", "squashfs"}};
  bench.At(0s).Series("node_filesystem_avail_bytes", squash, 0);
  bench.Series("node_filesystem_avail_bytes", kRoot, 0);
  bench.Series("node_filesystem_readonly", kRoot, 1);
  EXPECT_EQ(bench.StateAt(0s), AlertState::kInactive);
}

constexpr char kProcessDown[] = R"([[rule]]
    alert = "ServerDown"
    down = { process = "*" })";

TEST(DownRule, FiresAtOnceWhenAProcessCrashed) {
  RuleBench bench(kProcessDown);
  bench.At(0s).Series("process_watch_up", {{"process", "s"}}, 0);
  bench.Series("process_watch_stop_planned", {{"process", "s"}}, 0);
  EXPECT_EQ(bench.StateAt(0s), AlertState::kFiring);
  EXPECT_TRUE(bench.Alerts()[0].immediate);
}

TEST(DownRule, WaitsWhileAStopIsPlanned) {
  RuleBench bench(kProcessDown);
  bench.At(0s).Series("process_watch_up", {{"process", "s"}}, 0);
  bench.Series("process_watch_stop_planned", {{"process", "s"}}, 1);
  bench.At(60s).Series("process_watch_stop_planned", {{"process", "s"}}, 0);
  EXPECT_EQ(bench.StateAt(59s), AlertState::kInactive);
  EXPECT_EQ(bench.StateAt(60s), AlertState::kFiring);
}

TEST(DownRule, GivesProbesTheGraceOfTheirProcess) {
  RuleBench bench(R"([[rule]]
    alert = "ServerUnreachable"
    down = { probe = "mqtt" })");
  bench.At(0s).Series("probe_success", {{"probe", "mqtt"}, {"process", "s"}}, 0);
  bench.Series("process_watch_stop_planned", {{"process", "s"}, {"server", "s"}}, 1);
  EXPECT_EQ(bench.StateAt(5s), AlertState::kInactive);
  bench.At(6s).Series("process_watch_stop_planned", {{"process", "s"}, {"server", "s"}}, 0);
  EXPECT_EQ(bench.StateAt(10s), AlertState::kFiring);
}

TEST(DownRule, TakesTheProcessFromTheRule) {
  RuleBench bench(R"([[rule]]
    alert = "JobDown"
    down = { job = "node", process = "s" })");
  bench.At(0s).Series("up", {{"job", "node"}}, 0);
  bench.Series("process_watch_stop_planned", {{"process", "s"}}, 1);
  EXPECT_EQ(bench.StateAt(5s), AlertState::kInactive);
  bench.At(6s).Series("process_watch_stop_planned", {{"process", "s"}}, 0);
  EXPECT_EQ(bench.StateAt(10s), AlertState::kFiring);
}

TEST(CertificateRule, FiresBeforeTheFirstOfThemEnds) {
  RuleBench bench(R"([[rule]]
    alert = "CertificateExpiresSoon"
    certificate = { within = "21d" })");
  const double end = 21 * 86'400 + 60 + static_cast<double>(bench.Ms(0s)) / 1000;
  bench.At(0s).Series("probe_ssl_earliest_cert_expiry", {{"probe", "shop"}}, end);
  EXPECT_EQ(bench.StateAt(60s), AlertState::kInactive);
  EXPECT_EQ(bench.StateAt(61s), AlertState::kFiring);
}

TEST(HungRule, FiresForTheServerThatHangs) {
  RuleBench bench(R"([[rule]]
    alert = "ServerHung"
    hung = { server = "a" })");
  bench.At(0s).Series("cloud_server_state", {{"server", "a"}, {"state", "hung"}}, 0);
  bench.Series("cloud_server_state", {{"server", "b"}, {"state", "hung"}}, 1);
  EXPECT_EQ(bench.StateAt(0s), AlertState::kInactive);
  bench.At(1s).Series("cloud_server_state", {{"server", "a"}, {"state", "hung"}}, 1);
  EXPECT_EQ(bench.StateAt(5s), AlertState::kFiring);
}

TEST(TemperatureRule, JudgesSensorsAndPackets) {
  RuleBench bench(R"([[rule]]
    alert = "Hot"
    temperature = { above = 80 })");
  bench.At(0s).Series("node_hwmon_temp_celsius", {{"chip", "a"}}, 80);
  bench.Series("node_thermal_zone_temp", {{"zone", "0"}}, 81);
  bench.Series("telemetry_temperature_celsius", {{"client", "box"}}, 90);
  EXPECT_EQ(bench.StateAt(0s), AlertState::kFiring);
  EXPECT_THAT(bench.Alerts(), SizeIs(2));
}

TEST(TypedRules, AreShownAsPromQL) {
  const std::vector<Rule> rules = MustParseRules(R"([[rule]]
    alert = "A"
    disk = { mount = "/", free_below = "10%" }
    [[rule]]
    alert = "B"
    down = { job = "node" })");
  EXPECT_EQ(promql::ToString(*rules[0].expr),
            R"(100 * node_filesystem_avail_bytes{mountpoint="/"} / )"
            R"(node_filesystem_size_bytes{mountpoint="/"} < 10 unless )"
            R"(node_filesystem_readonly{mountpoint="/"} == 1)");
  EXPECT_EQ(promql::ToString(*rules[1].expr),
            R"(up{job="node"} == 0 unless on (process) process_watch_stop_planned == 1)");
  EXPECT_EQ(promql::ToString(*rules[1].presence), R"(up{job="node"})");
}

}  // namespace
}  // namespace atalaya::alertd
