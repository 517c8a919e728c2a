#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "alertd/alert.h"
#include "alertd/rules/alert_store.h"
#include "alertd/rules/rule.h"
#include "alertd/rules/rule_snapshot.h"
#include "base/clock.h"
#include "base/result.h"
#include "base/sqlite.h"
#include "promql/engine.h"
#include "telemetry/series.h"
#include "telemetry/series_source.h"

namespace atalaya::alertd {

// A rule's evaluation fails where it would make more.
inline constexpr std::size_t kMaxAlertsPerRule = 10'000;

// Selectors that match no series are looked for again after so long.
inline constexpr std::chrono::milliseconds kUnmatchedLookEvery{60'000};

// [drill]: alerts that become active with all of `match` are labelled drill="true".
struct DrillConfig {
  std::map<std::string, std::string> match;
  bool notify = false;  // The ordinary receivers hear of them too.
};

struct RuleEngineOptions {
  const telemetry::SeriesSource* source = nullptr;  // Not owned, outlives the engine.
  const Clock* clock = &SystemClock();
  std::chrono::milliseconds interval{5'000};  // For the snapshot; who calls Evaluate keeps it.
  std::optional<DrillConfig> drill;
  std::int64_t looked_until_ms = 0;  // When the run before this one ended; 0: there was none.

  // Takes what rules write: recorded series, ALERTS and ALERTS_FOR_STATE, stale markers among them.
  // May be empty: then nothing is written.
  std::function<Status(std::span<const telemetry::SeriesSample>)> append;

  // Runs within the transaction that stores the new states, where an alert began to fire or
  // resolved, or `due` said so; `alerts` has no `ended`. Where it fails, nothing is stored and the
  // same resolved alerts come again with the next evaluation.
  std::function<Status(SqliteDatabase&, AlertsNow alerts, std::int64_t now_ms)> on_alerts;

  // Asked at each evaluation: whether on_alerts is to run though no alert changed. May be empty.
  std::function<bool(std::int64_t now_ms)> due;

  // Whether a series of the last kSeriesSeenWithin matches; asked of each selector once every
  // target was looked at, then each kUnmatchedLookEvery of those that matched none. May be empty.
  std::function<bool(const std::vector<telemetry::Matcher>&)> has_series;

  // Asked after each evaluation: when `due` will want to be asked. May be empty.
  std::function<std::optional<std::int64_t>()> next_due_ms;

  // After each commit that on_alerts was part of.
  std::function<void()> on_stored;
};

// The life of alerts: inactive, pending while the condition holds for less than `for`, firing,
// resolved; as in Prometheus, save that a rule's failure leaves its alerts as they were. States are
// in `database`, `for` included; the time between two runs does not count towards it.
//
// After a start nothing that was active resolves until `settled` was true once: what was not looked
// at yet says nothing. Threads: one at a time; blocks on the source and the database.
class RuleEngine {
 public:
  // Loads the stored states. `database` is a connection of the engine's own.
  static Result<std::unique_ptr<RuleEngine>> Create(RuleEngineOptions options,
                                                    std::vector<Rule> rules,
                                                    SqliteDatabase database);
  ~RuleEngine();

  struct Moment {
    std::int64_t now_ms = 0;
    std::int64_t event_ns = 0;  // Steady clock: the event that asks for it; 0 for a tick.
    bool settled = true;        // Every target was looked at since the start.
    bool tick =
        true;  // The interval is over; else only groups of an interval of their own are due.
  };
  // Evaluates the rules that are due, in their order, so that a rule sees what the ones before it
  // recorded: with an event all of them, otherwise as each group's interval has it. Stores what
  // changed, and hands it to on_alerts. Fails where the database does; a rule's own failure stands
  // in the snapshot, is logged once per change, and leaves the rule's alerts as they were.
  Status Evaluate(const Moment& moment);

  // Takes other rules, at once: alerts of rules that stay the same by name keep their state, the
  // others resolve at the next evaluation as no longer reported.
  void ReplaceRules(std::vector<Rule> rules, std::optional<DrillConfig> drill);

  // When Evaluate is to be called though no interval is over: for a group with an interval of its
  // own, or for options.due; no value where never.
  std::optional<std::int64_t> NextDueMs() const;

  RulesSnapshot Snapshot() const;
  RuleTotals Totals() const;  // As of the last Evaluate; cheap.

 private:
  struct Impl;
  explicit RuleEngine(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace atalaya::alertd
