#pragma once

#include <array>
#include <cstdint>
#include <mutex>
#include <string_view>

#include "alertd/notify/outbox.h"

namespace atalaya::alertd {

// The stages of a notice's way (OutboxRow's steady times), each measured from the end of the one
// before: `evaluated` from the event to the outbox, `stored` to the commit, `accepted` to the
// receiver's answer, its retries with it; `total` over all. Without an event (a rule's own tick)
// the way begins at `evaluated`.
inline constexpr std::array<std::string_view, 4> kLagStages{"evaluated", "stored", "accepted",
                                                            "total"};

inline constexpr std::array<double, 15> kLagBounds{
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300};  // Seconds.

struct LagHistogram {
  std::array<std::uint64_t, kLagBounds.size() + 1>
      buckets{};  // Not cumulative; the last is beyond.
  double sum_s = 0;
};
using LagHistograms = std::array<LagHistogram, kLagStages.size()>;

// How long accepted notices were under way since the program began. Threads: any.
class NoticeLag {
 public:
  // Of a row whose four times are known as far as they are. Those of another boot are left out.
  void Add(const OutboxRow& row);
  LagHistograms Snapshot() const;

 private:
  void AddStage(std::size_t stage, std::int64_t from_ns, std::int64_t to_ns);

  mutable std::mutex mutex_;
  LagHistograms histograms_;
};

}  // namespace atalaya::alertd
