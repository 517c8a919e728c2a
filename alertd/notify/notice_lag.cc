#include "alertd/notify/notice_lag.h"

#include <algorithm>

namespace atalaya::alertd {

void NoticeLag::Add(const OutboxRow& row) {
  const std::lock_guard lock(mutex_);
  AddStage(0, row.event_ns, row.evaluated_ns);
  AddStage(1, row.evaluated_ns, row.stored_ns);
  AddStage(2, row.stored_ns, row.accepted_ns);
  AddStage(3, row.event_ns != 0 ? row.event_ns : row.evaluated_ns, row.accepted_ns);
}

void NoticeLag::AddStage(std::size_t stage, std::int64_t from_ns, std::int64_t to_ns) {
  if (from_ns == 0 || to_ns < from_ns) return;
  const double seconds = static_cast<double>(to_ns - from_ns) / 1e9;
  const auto bound = std::lower_bound(kLagBounds.begin(), kLagBounds.end(), seconds);
  ++histograms_[stage].buckets[static_cast<std::size_t>(bound - kLagBounds.begin())];
  histograms_[stage].sum_s += seconds;
}

LagHistograms NoticeLag::Snapshot() const {
  const std::lock_guard lock(mutex_);
  return histograms_;
}

}  // namespace atalaya::alertd
