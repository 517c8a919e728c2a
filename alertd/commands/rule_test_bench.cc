#include "alertd/commands/rule_test_bench.h"

#include <algorithm>

#include "alertd/state_db.h"

namespace atalaya::alertd {
namespace {

constexpr std::int64_t kMaxEvaluations = 100'000;

}  // namespace

Result<std::unique_ptr<RuleTestBench>> RuleTestBench::Create(std::vector<Rule> rules,
                                                             std::chrono::milliseconds interval,
                                                             std::int64_t start_ms) {
  std::unique_ptr<RuleTestBench> bench(new RuleTestBench(start_ms));
  Result<SqliteDatabase> database = OpenStateDb(":memory:");
  if (!database) return Forward(database.error());
  RuleEngineOptions options;
  options.source = &bench->source_;
  options.clock = &bench->clock_;
  options.interval = interval;
  options.append = [source = &bench->source_](const auto& samples) -> Status {
    for (const telemetry::SeriesSample& each : samples)
      source->Add(each.series->labels, each.sample);
    return {};
  };
  Result<std::unique_ptr<RuleEngine>> engine =
      RuleEngine::Create(std::move(options), std::move(rules), std::move(*database));
  if (!engine) return Forward(engine.error());
  bench->engine_ = std::move(*engine);
  bench->interval_ = interval;
  return bench;
}

void RuleTestBench::Add(const promql::TestSeries& series, std::chrono::milliseconds step) {
  std::int64_t at = start_ms_;
  for (const promql::TestSeries::Item& item : series.items) {
    if (item.kind == promql::TestSeries::Kind::kFloat) source_.Add(series.labels, {at, item.value});
    at += step.count();
  }
}

Status RuleTestBench::RunTo(std::chrono::milliseconds at) {
  if ((at - next_) / interval_ > kMaxEvaluations)
    return Fail(ErrorCode::kLimit, "more than {} evaluations", kMaxEvaluations);
  for (; next_ <= at; next_ += interval_) {
    // An event, so that groups of an interval of their own are evaluated as well.
    if (Status evaluated = engine_->Evaluate({start_ms_ + next_.count(), clock_.SteadyNs()});
        !evaluated)
      return evaluated;
    clock_.Advance(interval_);
  }
  return {};
}

std::vector<Alert> RuleTestBench::Alerts(AlertState state) const {
  std::vector<Alert> alerts;
  for (const RuleStatus& rule : engine_->Snapshot().rules) {
    std::copy_if(rule.alerts.begin(), rule.alerts.end(), std::back_inserter(alerts),
                 [&](const Alert& alert) { return alert.state == state; });
  }
  return alerts;
}

}  // namespace atalaya::alertd
