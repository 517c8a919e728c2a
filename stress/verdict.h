#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "stress/objective.h"
#include "stress/run_record.h"

namespace atalaya::stress {

// Whether the figures of a run can be believed.
enum class Validity { kValid, kDegraded, kInvalid };
std::string_view ValidityName(Validity validity);  // "VALID"

// From these on, a run is no longer VALID, or INVALID.
inline constexpr double kDegradedSentShare = 0.99;  // Of the planned messages.
inline constexpr double kInvalidSentShare = 0.90;
inline constexpr std::int64_t kDegradedLagNs =
    10'000'000;  // The 99th percentile, the generator's own.
inline constexpr std::int64_t kInvalidLagNs = 100'000'000;
inline constexpr std::int64_t kNoticeableLagNs =
    1'000'000;                                     // Degraded where it is half the latency.
inline constexpr double kDegradedCpuPercent = 85;  // Of the busiest thread.

inline constexpr int kExitDegraded = 3;
inline constexpr int kExitInvalid = 4;
inline constexpr int kExitTargetFailed = 5;
inline constexpr int kExitMissed =
    6;  // An objective was not met, or a figure is worse than before.

// One thing that was looked at.
struct Check {
  std::string name;
  std::string measured;
  std::string wanted;
  Validity result = Validity::kValid;
};

struct Verdict {
  Validity validity = Validity::kValid;
  bool target_failed = false;  // It refused, reset, hung, spoke nonsense, lost or damaged messages.
  std::vector<Check> checks;
  std::vector<ObjectiveResult> objectives;
  std::vector<std::string> regressions;  // Against the baseline, in words.
  std::vector<std::string> notes;  // What a reader must know besides: co-location, interruption.
  std::string sentence;            // The verdict in one sentence, without its name.

  bool missed() const;  // An objective, or the baseline.
  // 0 for a valid run of a target that did its work; else the code of what matters most: a target
  // that failed, an invalid run, an objective that was missed, a degraded run.
  int ExitCode() const;
};

Verdict Judge(const RunRecord& record);

}  // namespace atalaya::stress
