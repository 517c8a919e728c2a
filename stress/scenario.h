#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "base/net.h"

namespace atalaya::stress {

// The bounds of any load: a slip of the finger must not take a machine down.
inline constexpr std::int64_t kMaxClients = 20'000;  // Pairs; two connections each.
inline constexpr double kMaxRatePerS = 2'000'000;    // Messages per second, all pairs together.
inline constexpr std::chrono::milliseconds kMinDuration{100};
inline constexpr std::chrono::milliseconds kMaxDuration{3'600'000};
inline constexpr double kMaxMessages = 500'000'000;        // The ledger keeps one bit of each.
inline constexpr std::int64_t kMaxPayloadBytes = 1 << 20;  // At least kStampBytes (stamp.h).

// What a run plans to do: `clients` publisher and subscriber pairs, each with a topic of its own,
// and `rate_per_s` messages per second spread evenly over them.
struct Scenario {
  std::string name = "p2p";
  HostPort target;
  std::int64_t clients = 1;
  double rate_per_s = 1;
  std::chrono::milliseconds duration{10'000};
  std::int64_t payload_bytes = 64;
  int qos = 0;             // 0 or 1, for publishing and subscribing.
  std::uint64_t seed = 1;  // Of the payloads' filling.
};

// How long a run waits for its target before it counts a hang.
struct RunLimits {
  std::chrono::nanoseconds connect{10'000'000'000};  // One connection, to the end of its handshake.
  std::chrono::nanoseconds connect_all{60'000'000'000};
  std::chrono::nanoseconds drain{5'000'000'000};  // After the load, for what is still under way.
  std::chrono::nanoseconds drain_quiet{500'000'000};  // Nothing came for so long: it is lost.
};

}  // namespace atalaya::stress
