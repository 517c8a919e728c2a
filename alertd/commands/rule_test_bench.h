#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <vector>

#include "alertd/rules/rule_engine.h"
#include "base/clock.h"
#include "base/result.h"
#include "promql/memory_source.h"
#include "promql/test_series.h"

namespace atalaya::alertd {

// One test of rules under way: its series, its clock, its engine. Threads: one.
class RuleTestBench {
 public:
  // The clock begins at `start_ms`, and the rules are evaluated every `interval`. Fails as
  // RuleEngine::Create does.
  static Result<std::unique_ptr<RuleTestBench>> Create(std::vector<Rule> rules,
                                                       std::chrono::milliseconds interval,
                                                       std::int64_t start_ms);

  // A series that begins with the clock, one item every `step`.
  void Add(const promql::TestSeries& series, std::chrono::milliseconds step);

  // Evaluates all rules every interval up to `at` behind the start, that moment included. kLimit
  // where that is too often.
  Status RunTo(std::chrono::milliseconds at);

  std::vector<Alert> Alerts(AlertState state) const;
  const promql::MemorySource& source() const { return source_; }

 private:
  explicit RuleTestBench(std::int64_t start_ms) : start_ms_(start_ms), clock_(start_ms) {}

  const std::int64_t start_ms_;
  promql::MemorySource source_;
  FakeClock clock_;
  std::unique_ptr<RuleEngine> engine_;
  std::chrono::milliseconds interval_{0};
  std::chrono::milliseconds next_{0};
};

}  // namespace atalaya::alertd
