#include "alertd/commands/promtool_test.h"

#include <glob.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <memory>

#include "alertd/commands/rule_test_bench.h"
#include "alertd/rules/prometheus_import.h"
#include "alertd/rules/yaml_table.h"
#include "base/duration.h"
#include "promql/engine.h"
#include "promql/number_text.h"
#include "promql/parser.h"

namespace atalaya::alertd {
namespace {

using std::chrono::milliseconds;
using telemetry::LabelledSample;
using telemetry::Labels;
using Texts = std::map<std::string, std::string>;

constexpr milliseconds kDefaultInterval{60'000};

// What an alert says, as promtool compares it.
using AlertText = std::pair<Labels, Texts>;

struct AlertExpectation {
  ConfigPlace place;
  milliseconds at{0};
  std::string name;
  std::vector<AlertText> alerts;
};

struct ExprExpectation {
  ConfigPlace place;
  milliseconds at{0};
  promql::ExprPtr expr;
  std::vector<LabelledSample> samples;
};

struct PromtoolTest {
  ConfigPlace place;
  std::string name;
  milliseconds step{0};
  std::vector<promql::TestSeries> series;
  std::vector<AlertExpectation> alerts;  // By rising time.
  std::vector<ExprExpectation> exprs;
};

struct PromtoolFile {
  std::vector<Rule> rules;  // In the order in which their groups are evaluated.
  milliseconds interval{0};
  std::vector<PromtoolTest> tests;
};

Labels ToLabels(const Texts& texts) {
  Labels labels;
  for (const auto& [name, value] : texts) labels.Set(name, value);
  return labels;
}

AlertExpectation ReadAlertExpectation(YamlTable& table) {
  AlertExpectation expected{table.Place(),
                            table.Duration("eval_time", milliseconds(0)),
                            table.RequiredText("alertname"),
                            {}};
  for (YamlTable& alert : table.Tables("exp_alerts")) {
    Labels labels = ToLabels(alert.TextMap("exp_labels"));
    labels.Set("alertname", expected.name);
    expected.alerts.emplace_back(std::move(labels), alert.TextMap("exp_annotations"));
  }
  std::sort(expected.alerts.begin(), expected.alerts.end());
  return expected;
}

// `up{job="a"}`, or `{}`.
Result<Labels> ParseLabels(const std::string& text) {
  Result<promql::TestSeries> series = promql::ParseTestSeries(text + " 0");
  if (!series) return Forward(series.error());
  return std::move(series->labels);
}

ExprExpectation ReadExprExpectation(YamlTable& table) {
  ExprExpectation expected{
      table.Place(), table.Duration("eval_time", milliseconds(0)), nullptr, {}};
  const Result<promql::ExprPtr> expr = promql::Parse(table.RequiredText("expr"));
  if (!expr) table.Fault("expr", expr.error().message);
  expected.expr = expr.value_or(nullptr);
  for (YamlTable& sample : table.Tables("exp_samples")) {
    const Result<Labels> labels =
        sample.Has("labels") ? ParseLabels(sample.Text("labels")) : Labels();
    if (!labels) sample.Fault("labels", labels.error().message);
    expected.samples.push_back({labels.value_or(Labels()), {0, sample.Number("value")}});
  }
  return expected;
}

PromtoolTest ReadTest(YamlTable& table, milliseconds file_interval) {
  PromtoolTest test;
  test.place = table.Place();
  test.name = table.Text("name");
  test.step = table.Duration("interval", file_interval);
  if (test.step.count() == 0) table.Fault("interval", "must be above 0");
  for (const char* key : {"external_labels", "external_url"}) {
    if (table.Has(key)) table.Fault(key, "rules have none here");
  }
  for (YamlTable& each : table.Tables("input_series")) {
    const std::string line = each.RequiredText("series") + " " + each.RequiredText("values");
    Result<promql::TestSeries> series = promql::ParseTestSeries(line);
    if (series) {
      test.series.push_back(std::move(*series));
    } else {
      each.Fault("series", series.error().message);
    }
  }
  for (YamlTable& each : table.Tables("alert_rule_test"))
    test.alerts.push_back(ReadAlertExpectation(each));
  for (YamlTable& each : table.Tables("promql_expr_test"))
    test.exprs.push_back(ReadExprExpectation(each));
  std::stable_sort(test.alerts.begin(), test.alerts.end(),
                   [](const auto& a, const auto& b) { return a.at < b.at; });
  return test;
}

// The files that a pattern names, beside `test_file`; the pattern itself where there are none, so
// that reading it fails with its name.
std::vector<std::string> Expand(const std::string& test_file, const std::string& pattern) {
  const auto beside = std::filesystem::path(test_file).parent_path() / pattern;
  glob_t found{};
  std::vector<std::string> files;
  if (glob(beside.c_str(), 0, nullptr, &found) == 0)
    files.assign(found.gl_pathv, found.gl_pathv + found.gl_pathc);
  globfree(&found);
  return files.empty() ? std::vector<std::string>{beside.string()} : files;
}

// Groups in the order of `group_eval_order`, the others behind them as they came.
void Order(const std::vector<std::string>& order, std::vector<Rule>& rules) {
  std::stable_sort(rules.begin(), rules.end(), [&](const Rule& a, const Rule& b) {
    return std::find(order.begin(), order.end(), a.group) <
           std::find(order.begin(), order.end(), b.group);
  });
}

Result<PromtoolFile> ReadPromtoolFile(const std::string& path) {
  Result<YamlTable> root = YamlTable::Load(path);
  if (!root) return Forward(root.error());
  PromtoolFile file;
  file.interval = root->Duration("evaluation_interval", kDefaultInterval);
  if (file.interval.count() == 0) root->Fault("evaluation_interval", "must be above 0");
  const std::vector<std::string> patterns = root->Texts("rule_files");
  const std::vector<std::string> order = root->Texts("group_eval_order");
  for (YamlTable& table : root->Tables("tests"))
    file.tests.push_back(ReadTest(table, file.interval));
  if (Status good = root->Finish(); !good) return Forward(good.error());
  for (const std::string& pattern : patterns) {
    for (const std::string& rule_file : Expand(path, pattern)) {
      Result<std::vector<PrometheusRule>> rules = ReadPrometheusRules(rule_file);
      if (!rules) return Forward(rules.error());
      for (PrometheusRule& each : *rules) file.rules.push_back(std::move(each.rule));
    }
  }
  Order(order, file.rules);
  return file;
}

std::string ToText(const std::vector<AlertText>& alerts) {
  std::string text;
  for (const auto& [labels, annotations] : alerts)
    text += fmt::format("\n    {} {}", labels.ToString(), ToLabels(annotations).ToString());
  return text.empty() ? " none" : text;
}

// What differs, or "".
std::string CompareAlerts(const AlertExpectation& expected, const RuleTestBench& bench) {
  std::vector<AlertText> firing;
  for (const Alert& alert : bench.Alerts(AlertState::kFiring)) {
    if (alert.labels.Get("alertname") == expected.name)
      firing.emplace_back(alert.labels, alert.annotations);
  }
  std::sort(firing.begin(), firing.end());
  if (firing == expected.alerts) return "";
  return fmt::format("at {}: {}: expected{}\n  firing{}", FormatDuration(expected.at),
                     expected.name, ToText(expected.alerts), ToText(firing));
}

std::string ToText(const std::vector<LabelledSample>& samples) {
  std::string text;
  for (const LabelledSample& each : samples)
    text +=
        fmt::format("\n    {} {}", each.labels.ToString(), promql::LiteralText(each.sample.value));
  return text.empty() ? " nothing" : text;
}

void SortByLabels(std::vector<LabelledSample>& samples) {
  std::sort(samples.begin(), samples.end(),
            [](const auto& a, const auto& b) { return a.labels < b.labels; });
}

bool SameSamples(const std::vector<LabelledSample>& a, const std::vector<LabelledSample>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const auto& x, const auto& y) {
    return x.labels == y.labels && x.sample.value == y.sample.value;  // As promtool: NaN is none.
  });
}

Result<std::string> CompareExpr(const ExprExpectation& expected, const RuleTestBench& bench,
                                milliseconds subquery_step) {
  promql::EngineOptions options;
  options.subquery_step_ms = subquery_step.count();
  const promql::Engine engine(bench.source(), options);
  Result<promql::QueryResult> result = engine.EvaluateInstant(expected.expr, expected.at.count());
  if (!result) return Forward(result.error());
  std::vector<LabelledSample> got;
  if (auto* vector = std::get_if<std::vector<LabelledSample>>(&result->value)) got = *vector;
  if (const auto* scalar = std::get_if<telemetry::Sample>(&result->value))
    got.push_back({Labels(), *scalar});
  std::vector<LabelledSample> wanted = expected.samples;
  SortByLabels(got);
  SortByLabels(wanted);
  if (SameSamples(wanted, got)) return "";
  return fmt::format("at {}: {}: expected{}\n  got{}", FormatDuration(expected.at),
                     promql::ToString(*expected.expr), ToText(wanted), ToText(got));
}

Status RunTest(const PromtoolFile& file, const PromtoolTest& test, RuleTestReport& report) {
  Result<std::unique_ptr<RuleTestBench>> bench =
      RuleTestBench::Create(file.rules, file.interval, 0);
  if (!bench) return Forward(bench.error());
  for (const promql::TestSeries& series : test.series) (*bench)->Add(series, test.step);
  const std::size_t failures = report.failures.size();
  const std::string name = test.name.empty() ? "" : test.name + ": ";
  for (const AlertExpectation& expected : test.alerts) {
    if (Status ran = (*bench)->RunTo(expected.at); !ran) return ran;
    if (const std::string difference = CompareAlerts(expected, **bench); !difference.empty())
      report.failures.push_back(
          fmt::format("{}: {}{}", expected.place.ToString(), name, difference));
  }
  milliseconds last{0};
  for (const ExprExpectation& expected : test.exprs) last = std::max(last, expected.at);
  if (Status ran = (*bench)->RunTo(last); !ran) return ran;
  for (const ExprExpectation& expected : test.exprs) {
    const Result<std::string> difference = CompareExpr(expected, **bench, file.interval);
    const std::string text = difference ? *difference : difference.error().message;
    if (!text.empty())
      report.failures.push_back(fmt::format("{}: {}{}", expected.place.ToString(), name, text));
  }
  if (report.failures.size() == failures) ++report.passed;
  return {};
}

}  // namespace

Result<RuleTestReport> RunPromtoolTestFile(const std::string& path) {
  const Result<PromtoolFile> file = ReadPromtoolFile(path);
  if (!file) return Forward(file.error());
  RuleTestReport report;
  for (const PromtoolTest& test : file->tests) {
    if (Status ran = RunTest(*file, test, report); !ran) return Forward(ran.error());
  }
  return report;
}

}  // namespace atalaya::alertd
