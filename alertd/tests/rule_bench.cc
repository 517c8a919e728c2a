#include "alertd/tests/rule_bench.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <map>

#include "alertd/state_db.h"
#include "base/check.h"

namespace atalaya::alertd {

using std::chrono::milliseconds;
constexpr milliseconds kTick{5'000};

// Series that hold their value; a sample stands at every second, as if scraped then. There would be
// sums by minute and hour as well, but rules read samples.
class RuleBench::Source : public telemetry::SeriesSource {
 public:
  struct Step {
    std::int64_t from_ms;
    double value;
  };
  std::map<telemetry::Labels, std::vector<Step>> series;

  Result<std::vector<telemetry::SeriesSamples>> Select(
      const telemetry::SelectRequest& request) const override {
    ATALAYA_CHECK(request.bucket_ms == 0);
    std::vector<telemetry::SeriesSamples> found;
    for (const auto& [labels, steps] : series) {
      if (!Matches(labels, request.matchers)) continue;
      telemetry::SeriesSamples one{labels, {}};
      for (std::size_t i = 0; i < steps.size(); ++i) {
        const bool ended = telemetry::IsStaleMarker(steps[i].value);
        const std::int64_t end = i + 1 < steps.size() ? steps[i + 1].from_ms - 1 : request.to_ms;
        for (std::int64_t at = steps[i].from_ms; at <= std::min(end, request.to_ms); at += 1000) {
          if (at >= request.from_ms) one.samples.push_back({at, steps[i].value});
          if (ended) break;
        }
      }
      if (!one.samples.empty()) found.push_back(std::move(one));
    }
    return found;
  }
  std::vector<telemetry::Depth> Depths() const override { return {{0}, {60'000}, {3'600'000}}; }

 private:
  static bool Matches(const telemetry::Labels& labels,
                      const std::vector<telemetry::Matcher>& matchers) {
    using Kind = telemetry::Matcher::Kind;
    for (const telemetry::Matcher& matcher : matchers) {
      const std::string_view value = labels.Get(matcher.name);
      // The one pattern that these tests meet is the list of file-system types left out.
      const bool in_pattern =
          !value.empty() &&
          ("|" + matcher.value + "|").find(fmt::format("|{}|", value)) != std::string::npos;
      if (matcher.kind == Kind::kEqual && value != matcher.value) return false;
      if (matcher.kind == Kind::kNotEqual && value == matcher.value) return false;
      if (matcher.kind == Kind::kRegex && !in_pattern) return false;
      if (matcher.kind == Kind::kNotRegex && in_pattern) return false;
    }
    return true;
  }
};

std::vector<Rule> MustParseRules(const std::string& toml) {
  Result<std::vector<Rule>> rules = ParseRules(toml, "rules.toml");
  EXPECT_TRUE(rules) << (rules ? "" : rules.error().message);
  return rules.value_or(std::vector<Rule>());
}

RuleBench::RuleBench(const std::string& rules_toml, std::optional<DrillConfig> drill)
    : toml_(rules_toml), drill_(std::move(drill)), source_(std::make_unique<Source>()) {
  std::string pattern = (std::filesystem::temp_directory_path() / "atalaya-rules-XXXXXX").string();
  ATALAYA_CHECK(mkdtemp(pattern.data()) != nullptr);
  directory_ = pattern;
  MakeEngine(MustParseRules(toml_));
}

RuleBench::~RuleBench() {
  engine_.reset();
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

void RuleBench::MakeEngine(std::vector<Rule> rules) {
  engine_.reset();
  Result<SqliteDatabase> database = OpenStateDb(directory_ + "/state.db");
  ASSERT_TRUE(database) << database.error().message;
  RuleEngineOptions options;
  options.source = source_.get();
  options.clock = &clock_;
  options.drill = drill_;
  options.append = [this](std::span<const telemetry::SeriesSample> samples) -> Status {
    for (const telemetry::SeriesSample& each : samples) {
      const telemetry::Labels& labels = each.series->labels;
      source_->series[labels].push_back({each.sample.time_ms, each.sample.value});
      written.push_back({labels, each.sample});
    }
    return {};
  };
  options.on_alerts = [this](SqliteDatabase&, AlertsNow alerts, std::int64_t) -> Status {
    if (refuse_changes) return Fail(ErrorCode::kIo, "the outbox is full");
    ++handed_over;
    for (const Alert& alert : alerts.firing) {
      if (known_.emplace(alert.labels, alert.fired_at_ms).second) told.push_back(alert);
    }
    told.insert(told.end(), alerts.resolved.begin(), alerts.resolved.end());
    return {};
  };
  options.due = [this](std::int64_t) { return std::exchange(due, false); };
  Result<std::unique_ptr<RuleEngine>> engine =
      RuleEngine::Create(std::move(options), std::move(rules), std::move(*database));
  ASSERT_TRUE(engine) << engine.error().message;
  engine_ = std::move(*engine);
}

RuleBench& RuleBench::At(Offset offset) {
  writing_at_ = offset;
  return *this;
}

RuleBench& RuleBench::Series(const std::string& name, const Pairs& labels, double value) {
  telemetry::Labels with_name(labels);
  with_name.Set(telemetry::kMetricName, name);
  source_->series[with_name].push_back({Ms(writing_at_), value});
  return *this;
}

RuleBench& RuleBench::Gone(const std::string& name, const Pairs& labels) {
  return Series(name, labels, telemetry::StaleMarker());
}

Status RuleBench::EvaluateAt(Offset offset, bool settled) {
  clock_.Advance(offset - now_);
  now_ = offset;
  evaluated_ = true;
  return engine_->Evaluate({Ms(offset), 0, settled});
}

AlertState RuleBench::StateAt(Offset offset) {
  if (!evaluated_) {
    EXPECT_TRUE(EvaluateAt(now_));
  }
  while (now_ + kTick < offset) {
    EXPECT_TRUE(EvaluateAt(now_ + kTick));
  }
  if (now_ < offset) {
    EXPECT_TRUE(EvaluateAt(offset));
  }
  AlertState highest = AlertState::kInactive;
  for (const Alert& alert : Alerts()) highest = std::max(highest, alert.state);
  return highest;
}

void RuleBench::Restart(Offset offset) {
  clock_.Advance(offset - now_);
  now_ = offset;
  evaluated_ = false;
  MakeEngine(MustParseRules(toml_));
}

void RuleBench::ReplaceRules(const std::string& rules_toml) {
  toml_ = rules_toml;
  engine_->ReplaceRules(MustParseRules(toml_), drill_);
}

std::vector<Alert> RuleBench::Alerts() const {
  std::vector<Alert> alerts;
  for (const RuleStatus& rule : engine_->Snapshot().rules)
    alerts.insert(alerts.end(), rule.alerts.begin(), rule.alerts.end());
  return alerts;
}

}  // namespace atalaya::alertd
