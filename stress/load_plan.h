#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "stress/connection.h"
#include "stress/rate_plan.h"
#include "stress/roster.h"
#include "stress/scenario.h"

namespace atalaya::stress {

// What all messages of a flow share on the wire.
struct FlowWire {
  std::string topic_prefix;
  std::string filling;  // A payload; the stamp goes over its head.
  int qos = 0;
};

// All that workers know of a run before it begins. Threads: any; immutable.
class LoadPlan {
 public:
  LoadPlan(const Scenario& scenario, const RunLimits& limits, const TargetAddress& address,
           TransportMaker transports, std::uint32_t run_id, std::size_t workers);
  LoadPlan(const LoadPlan&) = delete;
  LoadPlan& operator=(const LoadPlan&) = delete;

  const Scenario& scenario() const { return scenario_; }
  const RunLimits& limits() const { return limits_; }
  const Roster& roster() const { return roster_; }
  const Peer& peer() const { return peer_; }
  const FlowWire& wire(std::size_t flow) const { return wires_[flow]; }
  const RatePlan& rates(std::size_t flow) const { return rates_[flow]; }
  std::size_t workers() const { return workers_; }
  std::size_t max_packet_bytes() const { return max_packet_bytes_; }  // Nothing longer was asked.
  bool v5() const { return scenario_.version == mqtt::Version::k5; }
  bool closed() const { return scenario_.arrivals == Arrivals::kClosed; }

  std::int64_t duration_ns() const { return phase_ends_ns_.back(); }
  // The phase that `ns` after the load's start lies in; the last one for all later.
  std::size_t PhaseAt(std::int64_t ns) const;
  std::int64_t PhaseEndNs(std::size_t phase) const { return phase_ends_ns_[phase]; }
  double LoadAt(std::int64_t ns) const;  // Multiple of the flows' rate.

  // Messages of all flows that are due in between; for a Poisson flow, expected to be.
  std::uint64_t Planned(std::int64_t from_ns, std::int64_t to_ns) const;
  // The deliveries that go with them.
  double PlannedDeliveries(std::int64_t from_ns, std::int64_t to_ns) const;
  // No publisher of the flow sends more: what the ledger has room for.
  std::uint32_t MostOfAPublisher(std::size_t flow) const { return most_[flow]; }

 private:
  Scenario scenario_;
  RunLimits limits_;
  TransportMaker transports_;
  Roster roster_;
  Peer peer_;
  std::size_t workers_;
  std::vector<FlowWire> wires_;
  std::vector<RatePlan> rates_;
  std::vector<std::int64_t> phase_ends_ns_;
  std::vector<std::uint32_t> most_;  // By flow.
  std::size_t max_packet_bytes_ = 0;
};

}  // namespace atalaya::stress
