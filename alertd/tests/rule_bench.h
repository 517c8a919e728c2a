#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "alertd/rules/rule_engine.h"
#include "base/clock.h"
#include "telemetry/series_source.h"

namespace atalaya::alertd {

// Rules, series and a clock of a test's own. Times count from the bench's beginning.
//
//   RuleBench bench(R"([[rule]] ...)");
//   bench.At(0min).Series("up", {{"job", "node"}}, 0);
//   EXPECT_EQ(bench.StateAt(5min), AlertState::kFiring);
class RuleBench {
 public:
  using Pairs = std::vector<telemetry::Labels::Pair>;
  using Offset = std::chrono::milliseconds;

  explicit RuleBench(const std::string& rules_toml, std::optional<DrillConfig> drill = {});
  ~RuleBench();

  // Where the next Series and Gone stand.
  RuleBench& At(Offset offset);
  // From here on, the series has this value, until the next one or Gone.
  RuleBench& Series(const std::string& name, const Pairs& labels, double value);
  RuleBench& Gone(const std::string& name, const Pairs& labels);

  // Evaluates every 5 s up to `offset`, and there; then the highest state of all alerts.
  AlertState StateAt(Offset offset);
  Status EvaluateAt(Offset offset, bool settled = true);

  // Ends the engine and makes another on the same database, at `offset`.
  void Restart(Offset offset);
  void ReplaceRules(const std::string& rules_toml);

  std::vector<Alert> Alerts() const;               // Pending and firing.
  std::vector<Alert> told;                         // What notices would be made of, in order.
  std::vector<telemetry::LabelledSample> written;  // What rules recorded, in order.
  bool refuse_changes = false;                     // Makes on_alerts fail.
  bool due = false;                                // Once; set it again for another time.
  int handed_over = 0;                             // How often on_alerts succeeded.

  RulesSnapshot Snapshot() const { return engine_->Snapshot(); }
  std::int64_t Ms(Offset offset) const { return start_ms_ + offset.count(); }

 private:
  class Source;
  void MakeEngine(std::vector<Rule> rules);

  std::int64_t start_ms_ = 1'700'000'000'000;
  FakeClock clock_{start_ms_};
  Offset now_{0};
  Offset writing_at_{0};
  bool evaluated_ = false;
  std::set<std::pair<telemetry::Labels, std::int64_t>> known_;  // Episodes that are in `told`.
  std::string directory_;
  std::string toml_;
  std::optional<DrillConfig> drill_;
  std::unique_ptr<Source> source_;
  std::unique_ptr<RuleEngine> engine_;
};

// The rules of a file, or the test fails.
std::vector<Rule> MustParseRules(const std::string& toml);

}  // namespace atalaya::alertd
