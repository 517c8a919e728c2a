#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace atalaya::alertd {

// A scrape that begins within so much of its time, and a hundredth of its interval, counts as
// having begun then: even times take a fraction of the room in the history.
inline constexpr std::int64_t kScrapeToleranceMs = 5;

// When one target is scraped: at the times t, UTC, with t mod `interval` == `offset`. Offsets come
// of a hash, so targets are spread over the interval, each at the same place after every start.
struct ScrapeSchedule {
  std::int64_t interval_ms = 0;
  std::int64_t offset_ms = 0;  // 0 to interval_ms - 1.

  static ScrapeSchedule Spread(std::chrono::milliseconds interval, std::uint64_t hash) {
    const std::int64_t interval_ms = interval.count();
    return {interval_ms, static_cast<std::int64_t>(hash % static_cast<std::uint64_t>(interval_ms))};
  }

  // Until the next of these times, 1 to interval_ms.
  std::int64_t UntilNextMs(std::int64_t now_ms) const { return interval_ms - Since(now_ms); }

  // `now_ms`, or the time near by that it counts as.
  std::int64_t Aligned(std::int64_t now_ms) const {
    const std::int64_t tolerance_ms = std::min(kScrapeToleranceMs, interval_ms / 100);
    const std::int64_t since = Since(now_ms);
    if (since <= tolerance_ms) return now_ms - since;
    return interval_ms - since <= tolerance_ms ? now_ms + interval_ms - since : now_ms;
  }

 private:
  std::int64_t Since(std::int64_t now_ms) const {
    return ((now_ms - offset_ms) % interval_ms + interval_ms) % interval_ms;
  }
};

}  // namespace atalaya::alertd
