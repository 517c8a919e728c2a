#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace atalaya::stress {

// What an objective may speak of, and in what.
enum class ObjectiveUnit { kTime, kShareOrCount, kRate };

// "p99<10ms": a figure, how it compares, and to what.
struct Objective {
  enum class Compare { kBelow, kAtMost, kEqual, kAtLeast, kAbove };

  std::string figure;  // "p99", "loss"
  Compare compare = Compare::kBelow;
  double limit = 0;    // Nanoseconds, a count, messages per second; with `share`, of 1.
  bool share = false;  // The limit was written in percent.
  std::string text;    // As it was written.

  bool Meets(double value) const;
};

// One or more, joined by commas: "p99<10ms,loss=0". Figures: p50 to p99.999 and every other
// percentile, max and mean (of the response time); loss, duplicates, reordered, corrupted, errors
// (counts, or "%" of what was expected); rate (deliveries per second); detect, recover (the longest
// of all faults, times); false_alerts. kInvalid says what is wrong and what would be right.
Result<std::vector<Objective>> ParseObjectives(std::string_view text);

struct RunRecord;
struct PhaseFigures;

// An objective with what was measured. Where nothing was measured it is not met.
struct ObjectiveResult {
  Objective objective;
  std::string scope;     // The phase's name; "" for the run.
  std::string measured;  // "4.2 ms"
  bool met = false;
};
std::vector<ObjectiveResult> Weigh(const RunRecord& record);

// Of the whole run.
ObjectiveResult WeighOne(const Objective& objective, const RunRecord& record);

}  // namespace atalaya::stress
