#include "alertd/commands/rule_test.h"

#include <algorithm>
#include <filesystem>
#include <memory>

#include "alertd/rules/rule_engine.h"
#include "alertd/state_db.h"
#include "base/config.h"
#include "base/duration.h"
#include "promql/memory_source.h"
#include "promql/parser.h"
#include "promql/regex.h"
#include "promql/test_series.h"

namespace atalaya::alertd {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kMinStep{100};
constexpr milliseconds kMaxTime{std::chrono::hours(24 * 31)};
constexpr std::int64_t kMaxEvaluations = 100'000;

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

Status AddRules(const std::string& path, std::vector<Rule>& into) {
  Result<ConfigFile> file = ConfigFile::Load(path);
  if (!file) return Forward(file.error());
  std::vector<Rule> rules = ReadRules(file->Root());
  if (Status good = file->Finish(); !good) return good;
  std::move(rules.begin(), rules.end(), std::back_inserter(into));
  return {};
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
    if (Status added = AddRules(beside.string(), tests.rules); !added)
      return Forward(added.error());
  }
  return tests;
}

// One test under way: its series, its clock, its engine.
class Bench {
 public:
  static Result<std::unique_ptr<Bench>> Create(const TestFile& file, const RuleTest& test) {
    auto bench = std::make_unique<Bench>();
    for (const promql::TestSeries& series : test.series) bench->Fill(series, test.step);
    Result<SqliteDatabase> database = OpenStateDb(":memory:");
    if (!database) return Forward(database.error());
    RuleEngineOptions options;
    options.source = &bench->source_;
    options.clock = &bench->clock_;
    options.interval = file.interval;
    options.append = [source = &bench->source_](const auto& samples) -> Status {
      for (const telemetry::LabelledSample& each : samples) source->Add(each.labels, each.sample);
      return {};
    };
    Result<std::unique_ptr<RuleEngine>> engine =
        RuleEngine::Create(std::move(options), file.rules, std::move(*database));
    if (!engine) return Forward(engine.error());
    bench->engine_ = std::move(*engine);
    bench->interval_ = file.interval;
    return bench;
  }

  // Evaluates every interval up to `at`, that moment included.
  Status RunTo(milliseconds at) {
    if ((at - next_) / interval_ > kMaxEvaluations)
      return Fail(ErrorCode::kLimit, "more than {} evaluations", kMaxEvaluations);
    for (; next_ <= at; next_ += interval_) {
      if (Status evaluated = engine_->Evaluate({kStartMs + next_.count(), 0}); !evaluated)
        return evaluated;
      clock_.Advance(interval_);
    }
    return {};
  }

  std::vector<Alert> Alerts(AlertState state) const {
    std::vector<Alert> alerts;
    for (const RuleStatus& rule : engine_->Snapshot().rules) {
      std::copy_if(rule.alerts.begin(), rule.alerts.end(), std::back_inserter(alerts),
                   [&](const Alert& alert) { return alert.state == state; });
    }
    return alerts;
  }

 private:
  static constexpr std::int64_t kStartMs = 1'700'000'000'000;

  void Fill(const promql::TestSeries& series, milliseconds step) {
    std::int64_t at = kStartMs;
    for (const promql::TestSeries::Item& item : series.items) {
      if (item.kind == promql::TestSeries::Kind::kFloat)
        source_.Add(series.labels, {at, item.value});
      at += step.count();
    }
  }

  promql::MemorySource source_;
  FakeClock clock_{kStartMs};
  std::unique_ptr<RuleEngine> engine_;
  milliseconds interval_{0};
  milliseconds next_{0};
};

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
  Result<std::unique_ptr<Bench>> bench = Bench::Create(file, test);
  if (!bench) return Forward(bench.error());
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
