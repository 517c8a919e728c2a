#include "stress/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/html_text.h"
#include "stress/progress.h"
#include "stress/report_charts.h"
#include "stress/svg_chart.h"
#include "stress/wording.h"

namespace atalaya::stress {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr char kHostile[] = "<script>alert('x')</script>&\"";

RunRecord HostileRun() {
  RunRecord record;
  record.scenario.target.address = {kHostile, 1883};
  record.scenario.name = kHostile;
  record.scenario.flows = {Flow{}};
  record.scenario.flows[0].name = kHostile;
  record.scenario.phases = {Phase{kHostile}, Phase{kHostile}, Phase{kHostile}};
  record.environment.host = kHostile;
  record.environment.command = kHostile;
  record.environment.cpu_model = kHostile;
  record.environment.kernel = kHostile;
  record.server = kHostile;
  record.planned = 100;
  record.load_ns = 2'000'000'000;
  record.totals.connected = 2;
  record.ledger.sent = record.ledger.expected = record.ledger.received = 100;
  record.ledgers = {record.ledger, record.ledger};
  record.scenario.flows.push_back(record.scenario.flows[0]);
  record.totals.failures[0] = 1;
  record.totals.failure_examples[0] = kHostile;
  record.messages.response.Record(1'000'000, 100);
  record.messages.service.Record(900'000, 100);
  record.totals.phases.assign(3, record.messages);
  record.faults = {{Fault{}, 500'000'000, 800'000'000, 900'000'000, kHostile, 0}};
  record.alerts = {{kHostile, kHostile, false, 600'000'000, {}},
                   {kHostile, kHostile, true, -5, 1'900'000'000}};
  record.worker_cpu_percent = {1};
  for (int second = 0; second < 2; ++second) {
    TimelineRow row;
    row.from_ns = second * std::int64_t{1'000'000'000};
    row.to_ns = row.from_ns + 1'000'000'000;
    row.planned = row.sent = row.received = 50;
    row.p50_ns = row.p99_ns = row.max_ns = 1'000'000;
    if (second == 0) row.server = ServerPoint{12.5, 4'000'000};
    record.timeline.push_back(row);
  }
  return record;
}

Report HostileReport() {
  Report report;
  report.run = HostileRun();
  report.verdict = Judge(report.run);
  report.capacity = CapacityRecord{};
  report.capacity->sentence = report.capacity->limit = report.capacity->plan.slo = kHostile;
  for (int i = 1; i < 5; ++i) {
    Probe probe;
    probe.rate_per_s = 100 * i;
    probe.p50_ns = probe.p99_ns = 1'000'000 * i;
    probe.missed = kHostile;
    report.capacity->probes.push_back(probe);
  }
  report.comparison = Comparison{kHostile, kHostile, {{kHostile, kHostile, kHostile, 5, true}}};
  return report;
}

TEST(HtmlText, EscapesEverythingThatCouldEndText) {
  EXPECT_EQ(EscapeHtml("a<b>&\"'"), "a&lt;b&gt;&amp;&quot;&#39;");
  EXPECT_EQ(EscapeHtml(std::string("\x01", 1)), "\xEF\xBF\xBD");
}

TEST(Report, NeverLetsAForeignTextBecomeMarkup) {
  const std::string html = ReportHtml(HostileReport());
  EXPECT_THAT(html, Not(HasSubstr("<script")));
  EXPECT_THAT(html, HasSubstr("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;"));
}

TEST(Report, NeedsNoNetwork) {
  const std::string html = ReportHtml(HostileReport());
  for (const char* const reference : {"http:", "https:", "src=", "href=", "url(", "@import"}) {
    EXPECT_THAT(html, Not(HasSubstr(reference)));
  }
}

TEST(Report, GivesJsonWithItsSchemaVersion) {
  const nlohmann::json json = nlohmann::json::parse(ReportJson(HostileReport()));
  EXPECT_EQ(json["schema_version"], kReportSchemaVersion);
  EXPECT_EQ(json["ledger"]["received"], 100);
  EXPECT_EQ(json["errors"]["refused"]["count"], 1);
  EXPECT_EQ(json["timeline"].size(), 2u);
  EXPECT_EQ(json["timeline"][0]["server_cpu_percent"], 12.5);
  EXPECT_TRUE(json["timeline"][1]["server_cpu_percent"].is_null());
}

TEST(Report, SurvivesARunInWhichNothingHappened) {
  Report report;
  report.run.planned = 5;
  report.verdict = Judge(report.run);
  EXPECT_THAT(ReportHtml(report), HasSubstr("No message arrived."));
  EXPECT_TRUE(nlohmann::json::accept(ReportJson(report)));
}

TEST(Report, GivesTheTimelineAsCsv) {
  const std::string csv = ReportCsv(HostileRun());
  EXPECT_EQ(std::count(csv.begin(), csv.end(), '\n'), 3);
  EXPECT_THAT(csv, HasSubstr("\n0.000,1.000,0,50,50,50,"));
  EXPECT_THAT(csv, HasSubstr(",12.5,4000000\n"));
}

TEST(Report, TellsWhatABaselineDidBetter) {
  Report report;
  report.run = HostileRun();
  report.verdict = Judge(report.run);
  const std::string path = testing::TempDir() + "/baseline.json";
  ASSERT_TRUE(WriteFileAtomic(path, ReportJson(report)).has_value());
  const Result<Baseline> baseline = ReadBaseline(path);
  ASSERT_TRUE(baseline.has_value()) << baseline.error().message;
  EXPECT_EQ(baseline->command, kHostile);
  const auto worse = [&](const RunRecord& now) {
    std::vector<std::string> names;
    for (const ComparisonRow& row : Compare(*baseline, KeyFiguresOf(now, 0)).rows) {
      if (row.worse) names.push_back(row.name);
    }
    return names;
  };
  EXPECT_THAT(worse(report.run), testing::IsEmpty());
  RunRecord slower = report.run;
  slower.messages.response.Record(2'000'000, 100);
  slower.ledger.received = 99;
  EXPECT_THAT(worse(slower),
              testing::ElementsAre("response time, p99", "response time, p99.9", "lost"));
  ASSERT_TRUE(WriteFileAtomic(path, "{}").has_value());
  EXPECT_THAT(ReadBaseline(path).error().message, HasSubstr("is no report of cloud_stress"));
}

TEST(SvgChart, ShadesAnAreaDownToItsFloor) {
  Chart chart;
  chart.series = {{"a", 1, {{0, 1}, {1, 1}}, {{0, 0}, {1, 0.5}}}};
  EXPECT_THAT(RenderSvg(chart, {}), HasSubstr("class=\"area s1\" d=\"M"));
}

TEST(SvgChart, LeavesAGapWhereNothingWasMeasured) {
  Chart chart;
  chart.x = LinearAxis("s", 4);
  chart.y = LinearAxis("n", 10);
  chart.series = {{"a", 0, {{0, 1}, {1, 2}, {2, std::nan("")}, {3, 4}, {4, 5}}}};
  const std::string svg = RenderSvg(chart, {});
  const std::size_t path = svg.find("class=\"line s0\"");
  ASSERT_NE(path, std::string::npos);
  const std::string line = svg.substr(path, svg.find("/>", path) - path);
  EXPECT_EQ(std::count(line.begin(), line.end(), 'M'), 2);
  EXPECT_EQ(std::count(line.begin(), line.end(), 'L'), 2);
  EXPECT_THAT(svg, Not(HasSubstr("nan")));
}

TEST(SvgChart, DrawsALonePointAsADot) {
  Chart chart;
  chart.series = {{"a", 0, {{0.5, 0.5}}}};
  EXPECT_THAT(RenderSvg(chart, {}), HasSubstr("<circle"));
}

TEST(SvgChart, EscapesTitlesAndLabels) {
  Chart chart;
  chart.title = kHostile;
  chart.x.title = kHostile;
  chart.x.ticks = {{0.5, kHostile}};
  chart.bands = {{0, 1, kHostile}};
  EXPECT_THAT(RenderSvg(chart, {}), Not(HasSubstr("<script")));
}

TEST(SvgChart, ChoosesRoundTicksThatCoverTheData) {
  for (const double top : {0.0, 0.03, 1.0, 7.0, 15.0, 99.0, 100.0, 101.0, 2000.0, 123456.0}) {
    const Axis axis = LinearAxis("", top);
    EXPECT_GE(axis.max, top);
    EXPECT_GE(axis.ticks.size(), 3u) << top;
    EXPECT_LE(axis.ticks.size(), 8u) << top;
  }
  const Axis latency = LatencyAxis("", 35'000, 2'300'000);
  EXPECT_EQ(latency.ticks.front().label, "10 us");
  EXPECT_EQ(latency.ticks.back().label, "10 ms");
}

TEST(PercentileCurve, RisesToTheMaximumAndNeverFalls) {
  PhaseFigures messages;
  for (int i = 1; i <= 5000; ++i) messages.response.Record(i * 1000);
  messages.service = messages.response;
  const std::vector<CurvePoint> curve = PercentileCurve(messages);
  ASSERT_GT(curve.size(), 10u);
  for (std::size_t i = 1; i < curve.size(); ++i) {
    EXPECT_GE(curve[i].response_ns, curve[i - 1].response_ns);
  }
  EXPECT_EQ(curve.back().response_ns, 5'000'000);
}

TEST(Wording, ReadsAsPeopleWriteFigures) {
  EXPECT_EQ(WordCount(0), "0");
  EXPECT_EQ(WordCount(999), "999");
  EXPECT_EQ(WordCount(1'234'567), "1,234,567");
  EXPECT_EQ(WordLatency(840), "840 ns");
  EXPECT_EQ(WordLatency(12'340), "12.3 us");
  EXPECT_EQ(WordLatency(4'560'000), "4.56 ms");
  EXPECT_EQ(WordBytes(4'200'000), "4.2 MB");
}

TEST(Progress, SaysRateLatencyErrorsAndServer) {
  Scenario scenario;
  scenario.phases = {Phase{}};
  Progress progress(scenario, false);
  TimelineRow row;
  row.from_ns = 2'000'000'000;
  row.to_ns = 3'000'000'000;
  row.sent = 1000;
  row.received = 998;
  row.p99_ns = 420'000;
  row.server = ServerPoint{3.25, 5'100'000};
  const std::string line = progress.LineFor(row);
  EXPECT_EQ(
      line,
      "[3/10 s]  sent 1,000/s  received 998/s  p99 420 us  errors 0  server 3.2 % CPU 5.1 MB");
  EXPECT_THAT(progress.PanelFor(row), HasSubstr("3 of 10 s, 7 s left"));
}

}  // namespace
}  // namespace atalaya::stress
