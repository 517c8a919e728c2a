#include "stress/run_record.h"

#include <algorithm>

namespace atalaya::stress {

FailureCounts RunRecord::Failures() const {
  FailureCounts counts = totals.failures;
  for (std::size_t i = 0; i < kFailureClasses; ++i) counts[i] -= totals.fault_failures[i];
  return counts;
}

std::uint64_t RunRecord::FailureCount() const {
  const FailureCounts counts = Failures();
  return std::accumulate(counts.begin(), counts.end(), std::uint64_t{0});
}

std::vector<const AlertEvent*> RunRecord::FalseAlerts() const {
  std::vector<const AlertEvent*> found;
  for (const AlertEvent& alert : alerts) {
    const bool explained = std::any_of(faults.begin(), faults.end(), [&](const auto& fault) {
      const std::int64_t end_ns = std::max(fault.ended_ns, fault.recovered_ns.value_or(0));
      return alert.fired_ns >= fault.began_ns && alert.fired_ns <= end_ns + kAlertGraceNs;
    });
    if (!alert.from_before && !explained) found.push_back(&alert);
  }
  return found;
}

}  // namespace atalaya::stress
