#pragma once

#include <chrono>
#include <functional>
#include <memory>

#include "alertd/rules/rule_engine.h"

namespace atalaya::alertd {

inline constexpr std::chrono::milliseconds kSnapshotWait{1'000};

// Runs a RuleEngine on a thread of its own: every interval, at once when an event asks, and when
// the engine is due for something else. Threads: any, save where said.
class RuleRunner {
 public:
  // `settled` is asked before each evaluation, on the runner's thread. Begins at once.
  RuleRunner(std::unique_ptr<RuleEngine> engine, std::chrono::milliseconds interval,
             std::function<bool()> settled);
  ~RuleRunner();  // Waits for the evaluation under way.
  RuleRunner(const RuleRunner&) = delete;
  RuleRunner& operator=(const RuleRunner&) = delete;

  // Asks for an evaluation at once. `event_ns`: when the event was seen, steady clock. Never
  // blocks.
  void Wake(std::int64_t event_ns);

  // Says that RuleEngineOptions::due has reason to say yes. No rule is evaluated for it. Never
  // blocks.
  void AskWhatIsDue();

  // Hands new rules over; they count from the next evaluation, which follows at once.
  void ReplaceRules(std::vector<Rule> rules, std::optional<DrillConfig> drill,
                    std::chrono::milliseconds interval);

  // Never null. What it shows does not change any more. Made when asked for; during an evaluation
  // waits for its end, or after kSnapshotWait returns the last one that was made.
  std::shared_ptr<const RulesSnapshot> Snapshot() const;

  RuleTotals Totals() const;  // Never waits.

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace atalaya::alertd
