#include "stress/load_plan.h"

#include <algorithm>

#include "stress/stamp.h"

namespace atalaya::stress {
namespace {

constexpr std::size_t kHeaderRoom = 1024;  // Topic, fixed header and what a server may add.

}  // namespace

LoadPlan::LoadPlan(const Scenario& scenario, const RunLimits& limits, const TargetAddress& address,
                   TransportMaker transports, std::uint32_t run_id, std::size_t workers)
    : scenario_(scenario),
      limits_(limits),
      transports_(std::move(transports)),
      roster_(&scenario_, run_id, workers),
      peer_{address, &transports_, scenario.version},
      workers_(workers) {
  for (std::size_t i = 0; i < scenario_.flows.size(); ++i) {
    const Flow& flow = scenario_.flows[i];
    const auto bytes = static_cast<std::size_t>(flow.payload_bytes);
    wires_.push_back({roster_.TopicPrefix(i), MakeFilling(scenario_.seed + i, bytes), flow.qos});
    rates_.emplace_back(scenario_.phases, flow.rate_per_s);
    max_packet_bytes_ =
        std::max(max_packet_bytes_, bytes + wires_.back().topic_prefix.size() + kHeaderRoom);
  }
  std::int64_t end_ns = 0;
  for (const Phase& phase : scenario_.phases) {
    end_ns += std::chrono::nanoseconds(phase.duration).count();
    phase_ends_ns_.push_back(end_ns);
  }
  double links = 0;
  for (const Flow& flow : scenario_.flows) {
    links += static_cast<double>(flow.publishers) * std::max(flow.copies(), 1.0);
  }
  for (const RatePlan& rates : rates_) {
    // A Poisson publisher may send more than its share of the plan.
    const double most = closed() ? kMaxDeliveries / std::max(links, 1.0)
                                 : 2.0 * static_cast<double>(rates.total()) + 1000;
    most_.push_back(static_cast<std::uint32_t>(std::min(most, 4e9)));
  }
}

std::size_t LoadPlan::PhaseAt(std::int64_t ns) const {
  const auto found = std::upper_bound(phase_ends_ns_.begin(), phase_ends_ns_.end() - 1, ns);
  return static_cast<std::size_t>(found - phase_ends_ns_.begin());
}

double LoadPlan::LoadAt(std::int64_t ns) const {
  const std::size_t at = PhaseAt(ns);
  const Phase& phase = scenario_.phases[at];
  const auto length = static_cast<double>(std::chrono::nanoseconds(phase.duration).count());
  const double share = 1 - static_cast<double>(phase_ends_ns_[at] - ns) / length;
  return phase.load_from + (phase.load_to - phase.load_from) * std::clamp(share, 0.0, 1.0);
}

std::uint64_t LoadPlan::Planned(std::int64_t from_ns, std::int64_t to_ns) const {
  std::uint64_t count = 0;
  for (const RatePlan& rates : rates_) {
    count += rates.CountBefore(to_ns) - rates.CountBefore(from_ns);
  }
  return count;
}

double LoadPlan::PlannedDeliveries(std::int64_t from_ns, std::int64_t to_ns) const {
  double count = 0;
  for (std::size_t i = 0; i < rates_.size(); ++i) {
    count += scenario_.flows[i].copies() *
             static_cast<double>(rates_[i].CountBefore(to_ns) - rates_[i].CountBefore(from_ns));
  }
  return count;
}

}  // namespace atalaya::stress
