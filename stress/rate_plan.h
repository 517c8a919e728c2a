#pragma once

#include <cstdint>
#include <vector>

#include "stress/scenario.h"

namespace atalaya::stress {

// When the messages of an open flow are due, whatever became of those before: message k at the
// moment by which the planned rate adds up to k. Times are nanoseconds from the start of the load.
// Threads: any; immutable.
class RatePlan {
 public:
  RatePlan(const std::vector<Phase>& phases, double rate_per_s);

  std::int64_t duration_ns() const { return duration_ns_; }
  std::uint64_t total() const { return CountBefore(duration_ns_); }

  // When `position` messages are due; a fraction lies between two. kNever beyond the plan. Quick
  // where `*hint` (0 at first) comes from a call with a lower position.
  static constexpr std::int64_t kNever = INT64_MAX;
  std::int64_t DueNs(double position, std::size_t* hint) const;

  // How many messages are due before `ns`.
  std::uint64_t CountBefore(std::int64_t ns) const;

 private:
  struct Stretch {
    double from_ns, length_ns;
    double from_count, to_count;
    double from_rate, to_rate;  // Messages per nanosecond.
  };

  std::vector<Stretch> stretches_;  // Those in which something is due.
  std::int64_t duration_ns_ = 0;
};

}  // namespace atalaya::stress
