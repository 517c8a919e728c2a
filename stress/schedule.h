#pragma once

#include <cstdint>

namespace atalaya::stress {

// When each message of an open-loop run is due: message k at k / rate, whatever became of those
// before it. Message k belongs to pair k % pairs, so that every pair sends at the same pace, evenly
// shifted. All times are nanoseconds from the start of the load. Threads: any; immutable.
class Schedule {
 public:
  Schedule(double rate_per_s, std::int64_t duration_ns, std::uint32_t pairs)
      : period_ns_(1e9 / rate_per_s),
        duration_ns_(duration_ns),
        pairs_(pairs),
        total_(CountBefore(duration_ns)) {}

  std::uint64_t total() const { return total_; }
  std::int64_t duration_ns() const { return duration_ns_; }

  std::int64_t DueNs(std::uint64_t message) const {
    return static_cast<std::int64_t>(static_cast<double>(message) * period_ns_);
  }
  std::int64_t DueNs(std::uint32_t pair, std::uint64_t sequence) const {
    return DueNs(sequence * pairs_ + pair);
  }

  // How many messages of all pairs are due before `ns`.
  std::uint64_t CountBefore(std::int64_t ns) const {
    if (ns <= 0) return 0;
    auto count = static_cast<std::uint64_t>(static_cast<double>(ns) / period_ns_);
    while (DueNs(count) < ns) ++count;
    while (count > 0 && DueNs(count - 1) >= ns) --count;
    return count;
  }

 private:
  double period_ns_;
  std::int64_t duration_ns_;
  std::uint32_t pairs_;
  std::uint64_t total_;
};

}  // namespace atalaya::stress
