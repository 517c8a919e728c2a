#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/latency_histogram.h"

namespace atalaya::stress {

// Why a connection failed.
enum class FailureClass : std::uint8_t {
  kRefused,   // Nobody listens, no route, or CONNACK/SUBACK said no.
  kReset,     // Ended by the other side.
  kHang,      // No answer within the time allowed.
  kNonsense,  // Bytes that are no packet, or a packet out of place.
  kLocal,     // This machine's own fault: descriptors, ports, memory.
};
inline constexpr std::size_t kFailureClasses = 5;
inline constexpr std::array<std::string_view, kFailureClasses> kFailureNames = {
    "refused", "reset", "hang", "nonsense", "local"};

using FailureCounts = std::array<std::uint64_t, kFailureClasses>;

// What one worker did in one second of the run, by the second in which it was sent or received.
struct IntervalFigures {
  std::int64_t load_ns = 0;  // How much of it the load ran; 0 is the drain.
  std::uint64_t sent = 0;
  std::uint64_t received = 0;
  std::uint64_t bytes_out = 0;  // Whole packets.
  std::uint64_t bytes_in = 0;
  std::uint64_t failures = 0;  // Connections.
  std::int64_t cpu_ns = 0;     // Of the worker's thread.
  LatencyHistogram response;   // Receipt minus intended send time.

  void Merge(const IntervalFigures& other);
};

// The messages that were due in one phase, whenever they were sent and received.
struct PhaseFigures {
  std::uint64_t sent = 0;
  std::uint64_t expected = 0;  // Deliveries that these should make.
  std::uint64_t received = 0;  // First copies.
  LatencyHistogram response;   // Receipt minus intended send time.
  LatencyHistogram service;    // Receipt minus actual send time.

  void Merge(const PhaseFigures& other);
};

// What one worker did in all.
struct WorkerFigures {
  std::uint64_t connected = 0;    // Connections that were ready when the load began.
  std::uint64_t wanted = 0;       // Connections asked for.
  std::uint64_t reconnected = 0;  // Connections that came back during the load.
  std::uint64_t due = 0;          // Messages that fell due.
  std::int64_t load_cpu_ns = 0;   // CPU of the thread while the load ran ...
  std::int64_t load_wall_ns = 0;  // ... and how long that was.
  // Messages that waited for the server: full socket, unacknowledged, or no connection.
  std::uint64_t held_back = 0;
  std::uint64_t refused_publishes = 0;  // Acknowledged with a reason that says no (5.0).
  std::uint64_t send_calls = 0;
  FailureCounts failures{};        // All of them ...
  FailureCounts fault_failures{};  // ... and those of them while a fault was on.
  std::array<std::string, kFailureClasses> failure_examples;  // The first of each, in words.
  std::vector<PhaseFigures> phases;
  LatencyHistogram send_lag;  // Actual send time minus intended send time.
  // How late the worker attended to a due message: the generator's own part of the send lag.
  LatencyHistogram attend_lag;
  LatencyHistogram connect;  // From the moment a connect was due to its end, before the load.

  void Merge(const WorkerFigures& other);
  PhaseFigures Total() const;  // All phases, merged.
};

}  // namespace atalaya::stress
