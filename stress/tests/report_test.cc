#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/html_text.h"
#include "stress/progress.h"
#include "stress/report_charts.h"
#include "stress/report_html.h"
#include "stress/report_json.h"
#include "stress/svg_chart.h"
#include "stress/wording.h"

namespace atalaya::stress {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr char kHostile[] = "<script>alert('x')</script>&\"";

RunRecord HostileRun() {
  RunRecord record;
  record.scenario.target = {kHostile, 1883};
  record.environment.host = kHostile;
  record.environment.command = kHostile;
  record.environment.cpu_model = kHostile;
  record.environment.kernel = kHostile;
  record.server = kHostile;
  record.planned = 100;
  record.load_ns = 2'000'000'000;
  record.totals.connected = 2;
  record.totals.ledger.sent = 100;
  record.totals.ledger.received = 100;
  record.totals.failures[0] = 1;
  record.totals.failure_examples[0] = kHostile;
  record.totals.response.Record(1'000'000, 100);
  record.totals.service.Record(900'000, 100);
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

TEST(HtmlText, EscapesEverythingThatCouldEndText) {
  EXPECT_EQ(EscapeHtml("a<b>&\"'"), "a&lt;b&gt;&amp;&quot;&#39;");
  EXPECT_EQ(EscapeHtml(std::string("\x01", 1)), "\xEF\xBF\xBD");
}

TEST(Report, NeverLetsAForeignTextBecomeMarkup) {
  const RunRecord record = HostileRun();
  const std::string html = ReportHtml(record, Judge(record));
  EXPECT_THAT(html, Not(HasSubstr("<script")));
  EXPECT_THAT(html, HasSubstr("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;"));
}

TEST(Report, NeedsNoNetwork) {
  const RunRecord record = HostileRun();
  const std::string html = ReportHtml(record, Judge(record));
  for (const char* const reference : {"http:", "https:", "src=", "href=", "url(", "@import"}) {
    EXPECT_THAT(html, Not(HasSubstr(reference)));
  }
}

TEST(Report, GivesJsonWithItsSchemaVersion) {
  const RunRecord record = HostileRun();
  const nlohmann::json json = nlohmann::json::parse(ReportJson(record, Judge(record)));
  EXPECT_EQ(json["schema_version"], kReportSchemaVersion);
  EXPECT_EQ(json["ledger"]["received"], 100);
  EXPECT_EQ(json["errors"]["refused"]["count"], 1);
  EXPECT_EQ(json["timeline"].size(), 2u);
  EXPECT_EQ(json["timeline"][0]["server_cpu_percent"], 12.5);
  EXPECT_TRUE(json["timeline"][1]["server_cpu_percent"].is_null());
}

TEST(Report, SurvivesARunInWhichNothingHappened) {
  const RunRecord record;
  const Verdict verdict = Judge(record);
  EXPECT_THAT(ReportHtml(record, verdict), HasSubstr("No message arrived."));
  EXPECT_TRUE(nlohmann::json::accept(ReportJson(record, verdict)));
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
  WorkerFigures totals;
  for (int i = 1; i <= 5000; ++i) totals.response.Record(i * 1000);
  totals.service = totals.response;
  const std::vector<CurvePoint> curve = PercentileCurve(totals);
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
  Progress progress(scenario, false);
  TimelineRow row;
  row.from_ns = 2'000'000'000;
  row.to_ns = 3'000'000'000;
  row.sent = 1000;
  row.received = 998;
  row.p99_ns = 420'000;
  row.failures = 2;
  row.server = ServerPoint{3.25, 5'100'000};
  const std::string line = progress.LineFor(row);
  EXPECT_EQ(
      line,
      "[3/10 s]  sent 1,000/s  received 998/s  p99 420 us  errors 2  server 3.2 % CPU 5.1 MB");
}

}  // namespace
}  // namespace atalaya::stress
