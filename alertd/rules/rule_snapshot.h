#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "alertd/alert.h"

namespace atalaya::alertd {

// One rule after its last evaluation: what /api/v1/rules and /api/v1/alerts show.
struct RuleStatus {
  std::string name;  // Of the alert, or of the metric that it records.
  bool is_recording = false;
  std::string group;
  std::chrono::milliseconds interval{0};  // Of its group; 0: the snapshot's.
  std::size_t limit = 0;                  // 0: none of its own.
  std::string kind;                       // "record", "expr", "disk", "down" and so on.
  std::string query;                      // As PromQL.
  std::string file;
  std::chrono::milliseconds for_duration{0};
  std::chrono::milliseconds keep_firing_for{0};
  std::map<std::string, std::string> labels;       // As written, templates not expanded.
  std::map<std::string, std::string> annotations;  // As written.
  bool evaluated = false;                          // At least once; the rest is void before.
  std::string last_error;                          // "" where the last evaluation went well.
  std::vector<std::string> unmatched;              // Selectors that match no series.
  std::int64_t last_evaluation_ms = 0;
  std::chrono::nanoseconds evaluation_time{0};
  AlertState state = AlertState::kInactive;  // The highest of its alerts.
  std::vector<Alert> alerts;                 // Pending and firing, sorted by labels.
};

// What /metrics says of all rules.
struct RuleTotals {
  std::size_t rules = 0;
  std::size_t failing = 0;  // Whose last evaluation failed.
  std::size_t pending = 0;  // Alerts.
  std::size_t firing = 0;
  std::chrono::nanoseconds evaluation_time{0};  // Of the last time that rules were evaluated.
  std::int64_t evaluated_at_ms = 0;             // 0 before the first time.
};

struct RulesSnapshot {
  std::chrono::milliseconds interval{0};
  std::int64_t evaluated_at_ms = 0;  // 0 before the first time.
  std::vector<RuleStatus> rules;     // In the order of the files.
};

}  // namespace atalaya::alertd
