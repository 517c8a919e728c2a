#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "telemetry/labels.h"

namespace atalaya::alertd {

enum class AlertState { kInactive, kPending, kFiring };

// Why a firing alert ended.
enum class ResolveReason { kNone, kRecovered, kNoLongerReported };

// One alert: a rule's verdict on one set of labels. What rules/ hands to notify/, and what the API
// and the page show.
struct Alert {
  telemetry::Labels labels;  // With `alertname`, the rule's labels and the series' own.
  std::map<std::string, std::string>
      annotations;  // Expanded; `summary` and `description` by convention.
  AlertState state = AlertState::kInactive;
  std::int64_t active_since_ms = 0;  // When the condition first held.
  std::int64_t fired_at_ms = 0;      // 0 while pending.
  std::int64_t resolved_at_ms = 0;   // 0 unless resolved.
  std::int64_t kept_since_ms = 0;    // When keep_firing_for began to hold it; 0: it does not.
  ResolveReason resolve_reason = ResolveReason::kNone;
  double value = 0;  // At the last evaluation that had one.
  std::int64_t event_ns =
      0;  // Steady clock: when the event behind the verdict was seen; for the lag figures.
  bool immediate = false;     // Skips group_wait and group_interval.
  std::string generator_url;  // As whoever sent it says; "" of our own.

  std::uint64_t Fingerprint() const { return labels.Hash(); }
};

// What notices are made of at one moment.
struct AlertsNow {
  std::vector<Alert> firing;    // All of them.
  std::vector<Alert> resolved;  // kInactive: since the last time; nobody else keeps how they ended.
  std::vector<Alert> ended;     // Likewise, of alerts that may be handed over again.
};

}  // namespace atalaya::alertd
