#include "alertd/commands/rule_test.h"

#include <algorithm>
#include <filesystem>
#include <memory>

#include "alertd/commands/rule_test_bench.h"
#include "base/config.h"
#include "base/duration.h"
#include "promql/parser.h"
#include "promql/regex.h"
#include "promql/test_series.h"

namespace atalaya::alertd {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kMinStep{100};
constexpr milliseconds kMaxTime{std::chrono::hours(24 * 31)};
constexpr std::int64_t kStartMs = 1'700'000'000'000;

// Alerts that must be there at one time, and no others of that state.
struct Expectation {
  ConfigPlace place;
  milliseconds at{0};
  std::vector<std::string> firing;
  std::vector<std::string> pending;
};

struct RuleTest {
  ConfigPlace place;
  std::string name;
  milliseconds step{0};
  std::vector<promql::TestSeries> series;
  std::vector<Expectation> expectations;  // By rising time.
};

struct TestFile {
  std::vector<Rule> rules;
  milliseconds interval{5'000};
  std::vector<RuleTest> tests;
};

milliseconds ReadTime(ConfigTable& table, std::string_view key, milliseconds otherwise,
                      milliseconds least) {
  const milliseconds time = table.Duration(key, otherwise);
  if (time >= least && time <= kMaxTime) return time;
  table.Fault(key, fmt::format("is out of range ({} to 31d)", FormatDuration(least)));
  return otherwise;
}

std::vector<std::string> ReadAlerts(ConfigTable& table, std::string_view key) {
  std::vector<std::string> alerts = table.Strings(key);
  for (const std::string& each : alerts) {
    const Result<promql::ExprPtr> parsed = promql::Parse(each);
    if (!parsed || (*parsed)->kind != promql::Expr::Kind::kSelector)
      table.Fault(key,
                  fmt::format("\"{}\" is no alert (write Name or Name{{label=\"value\"}})", each));
  }
  return alerts;
}

RuleTest ReadTest(ConfigTable& table) {
  RuleTest test;
  test.place = table.Place();
  test.name = table.RequiredString("name");
  test.step = ReadTime(table, "step", std::chrono::minutes(1), kMinStep);
  for (const std::string& line : table.Strings("series")) {
    Result<promql::TestSeries> series = promql::ParseTestSeries(line);
    if (series) {
      test.series.push_back(std::move(*series));
    } else {
      table.Fault("series", fmt::format("\"{}\": {}", line, series.error().message));
    }
  }
  for (ConfigTable& expect : table.Tables("expect")) {
    Expectation one{expect.Place(), ReadTime(expect, "at", milliseconds(0), milliseconds(0)),
                    ReadAlerts(expect, "firing"), ReadAlerts(expect, "pending")};
    if (!test.expectations.empty() && one.at < test.expectations.back().at)
      expect.Fault("at", "comes before the one above");
    test.expectations.push_back(std::move(one));
  }
  if (test.expectations.empty())
    table.Fault("[[test]]: nothing is expected (write [[test.expect]])");
  return test;
}

Result<TestFile> ReadTestFile(const std::string& path) {
  Result<ConfigFile> file = ConfigFile::Load(path);
  if (!file) return Forward(file.error());
  TestFile tests;
  ConfigTable root = file->Root();
  const std::vector<std::string> rule_files = root.Strings("rules");
  if (rule_files.empty()) root.Fault("\"rules\" is missing (write rules = [\"host.toml\"])");
  tests.interval = ReadTime(root, "interval", tests.interval, kMinStep);
  for (ConfigTable& table : root.Tables("test")) tests.tests.push_back(ReadTest(table));
  if (Status good = file->Finish(); !good) return Forward(good.error());
  for (const std::string& rules : rule_files) {
    const auto beside = std::filesystem::path(path).parent_path() / rules;
    Result<std::vector<Rule>> read = LoadRules(beside.string());
    if (!read) return Forward(read.error());
    std::move(read->begin(), read->end(), std::back_inserter(tests.rules));
  }
  return tests;
}

bool IsMeant(const std::string& expected, const Alert& alert) {
  const Result<promql::ExprPtr> parsed = promql::Parse(expected);
  telemetry::Labels labels = alert.labels;
  labels.Set(telemetry::kMetricName, labels.Get("alertname"));
  const auto& matchers = static_cast<const promql::Selector&>(**parsed).matchers;
  return std::all_of(matchers.begin(), matchers.end(), [&](const telemetry::Matcher& matcher) {
    return promql::CompiledMatcher(matcher).Matches(labels);
  });
}

// What differs, or "".
std::string Compare(const std::vector<std::string>& expected, std::vector<Alert> alerts,
                    std::string_view state) {
  std::string difference;
  for (const std::string& each : expected) {
    const auto found = std::find_if(alerts.begin(), alerts.end(),
                                    [&](const Alert& alert) { return IsMeant(each, alert); });
    if (found == alerts.end()) {
      difference += fmt::format("; {} is not {}", each, state);
    } else {
      alerts.erase(found);
    }
  }
  for (const Alert& alert : alerts)
    difference += fmt::format("; {} is {}", alert.labels.ToString(), state);
  return difference;
}

Status RunTest(const TestFile& file, const RuleTest& test, RuleTestReport& report) {
  Result<std::unique_ptr<RuleTestBench>> bench =
      RuleTestBench::Create(file.rules, file.interval, kStartMs);
  if (!bench) return Forward(bench.error());
  for (const promql::TestSeries& series : test.series) (*bench)->Add(series, test.step);
  std::string differences;
  for (const Expectation& expected : test.expectations) {
    if (Status ran = (*bench)->RunTo(expected.at); !ran) return ran;
    const std::string difference =
        Compare(expected.firing, (*bench)->Alerts(AlertState::kFiring), "firing") +
        Compare(expected.pending, (*bench)->Alerts(AlertState::kPending), "pending");
    if (difference.empty()) continue;
    report.failures.push_back(fmt::format("{}: {}: at {}: {}", expected.place.ToString(), test.name,
                                          FormatDuration(expected.at), difference.substr(2)));
    return {};
  }
  ++report.passed;
  return {};
}

}  // namespace

Result<RuleTestReport> RunRuleTestFile(const std::string& path) {
  const Result<TestFile> file = ReadTestFile(path);
  if (!file) return Forward(file.error());
  RuleTestReport report;
  for (const RuleTest& test : file->tests) {
    if (Status ran = RunTest(*file, test, report); !ran) return Forward(ran.error());
  }
  return report;
}

}  // namespace atalaya::alertd
