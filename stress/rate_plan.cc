#include "stress/rate_plan.h"

#include <algorithm>
#include <cmath>

namespace atalaya::stress {

RatePlan::RatePlan(const std::vector<Phase>& phases, double rate_per_s) {
  double count = 0;
  for (const Phase& phase : phases) {
    Stretch stretch{};
    stretch.from_ns = static_cast<double>(duration_ns_);
    stretch.length_ns = static_cast<double>(std::chrono::nanoseconds(phase.duration).count());
    stretch.from_rate = phase.load_from * rate_per_s / 1e9;
    stretch.to_rate = phase.load_to * rate_per_s / 1e9;
    stretch.from_count = count;
    count += (stretch.from_rate + stretch.to_rate) / 2 * stretch.length_ns;
    stretch.to_count = count;
    duration_ns_ += std::chrono::nanoseconds(phase.duration).count();
    if (stretch.to_count > stretch.from_count) stretches_.push_back(stretch);
  }
}

std::int64_t RatePlan::DueNs(double position, std::size_t* hint) const {
  while (*hint < stretches_.size() && position >= stretches_[*hint].to_count) ++*hint;
  if (*hint == stretches_.size()) return kNever;
  const Stretch& stretch = stretches_[*hint];
  const double missing = std::max(position - stretch.from_count, 0.0);
  double into_ns = 0;
  if (stretch.from_rate == stretch.to_rate) {
    into_ns = missing / stretch.from_rate;
  } else {
    // The root of from_rate * x + bend * x^2 = missing that does not cancel.
    const double bend = (stretch.to_rate - stretch.from_rate) / (2 * stretch.length_ns);
    const double inside = stretch.from_rate * stretch.from_rate + 4 * bend * missing;
    into_ns = 2 * missing / (stretch.from_rate + std::sqrt(std::max(inside, 0.0)));
    if (missing == 0) into_ns = 0;
  }
  return std::llround(stretch.from_ns + into_ns);
}

std::uint64_t RatePlan::CountBefore(std::int64_t ns) const {
  double expected = 0;
  for (const Stretch& stretch : stretches_) {
    const double into_ns =
        std::clamp(static_cast<double>(ns) - stretch.from_ns, 0.0, stretch.length_ns);
    const double bend = (stretch.to_rate - stretch.from_rate) / (2 * stretch.length_ns);
    expected = std::max(
        expected, stretch.from_count + stretch.from_rate * into_ns + bend * into_ns * into_ns);
    if (into_ns < stretch.length_ns) break;
  }
  auto count = static_cast<std::uint64_t>(std::max(expected, 0.0));
  const auto due = [this](std::uint64_t message) {
    std::size_t hint = 0;
    return DueNs(static_cast<double>(message), &hint);
  };
  while (due(count) < ns) ++count;
  while (count > 0 && due(count - 1) >= ns) --count;
  return count;
}

}  // namespace atalaya::stress
