#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "mqtt/packet.h"
#include "stress/fault.h"
#include "stress/objective.h"
#include "stress/target.h"

namespace atalaya::stress {

// The bounds of any load: a slip of the finger must not take a machine down.
inline constexpr std::int64_t kMaxConnections = 200'000;
inline constexpr double kMaxRatePerS = 2'000'000;  // Messages published per second, all flows.
inline constexpr std::chrono::milliseconds kMinDuration{100};
inline constexpr std::chrono::milliseconds kMaxDuration{86'400'000};
inline constexpr double kMaxDeliveries = 500'000'000;      // The ledger keeps one bit of each.
inline constexpr std::int64_t kMaxPayloadBytes = 1 << 20;  // At least kStampBytes (stamp.h).
inline constexpr std::size_t kMaxFlows = 16;
inline constexpr std::size_t kMaxPhases = 64;
inline constexpr std::size_t kMaxFaults = 64;
inline constexpr std::int64_t kMaxWindow = 8192;  // Unacknowledged messages of a publisher.
inline constexpr double kMaxLoad = 100;           // Of a phase: that many times the flows' rate.

enum class Arrivals {
  kConstant,  // Open: message k is due k / rate after the start.
  kPoisson,   // Open: exponential gaps, the same for the same seed.
  kClosed,    // A publisher sends as soon as fewer than `window` of its messages are under way.
};

// Publishers and subscribers around topics of their own: publisher i writes to topic i modulo
// `topics`.
struct Flow {
  std::string name = "p2p";
  std::int64_t publishers = 0;
  std::int64_t subscribers = 0;
  std::int64_t topics = 1;
  std::int64_t idle = 0;       // Connections that only live.
  bool subscribe_all = false;  // Each subscriber has all topics; else subscriber j has j % topics.
  bool shared = false;         // The subscribers are one group that takes turns.
  bool persistent = false;     // The subscribers' sessions outlive their connections.
  double rate_per_s = 0;       // Of all publishers together, at load 1.
  int qos = 0;                 // For publishing and subscribing.
  std::int64_t payload_bytes = 64;

  std::int64_t connections() const { return publishers + subscribers + idle; }
  // How many subscribers get each message.
  double copies() const {
    if (subscribers == 0 || topics == 0) return 0;
    if (shared) return 1;
    return static_cast<double>(subscribers) / (subscribe_all ? 1 : static_cast<double>(topics));
  }
};

// A stretch of the run in which the load goes evenly from one multiple of the flows' rate to
// another.
struct Phase {
  std::string name = "load";
  std::chrono::milliseconds duration{10'000};
  double load_from = 1;
  double load_to = 1;
  std::vector<Objective> objectives = {};  // Of this phase's messages.
};

// What a run plans to do. Presets and files are this and nothing else.
struct Scenario {
  std::string name = "p2p";
  std::string description;
  Target target;
  mqtt::Version version = mqtt::Version::k311;
  Arrivals arrivals = Arrivals::kConstant;
  std::int64_t window = 1;  // With kClosed.
  std::uint64_t seed = 1;   // Of payloads and of Poisson's gaps.
  std::chrono::seconds keep_alive{300};
  double connect_rate_per_s = 0;                 // 0: as fast as they are answered.
  std::chrono::milliseconds reconnect_after{0};  // 0: a lost connection stays lost.
  std::string topic_prefix = "atalaya/stress";
  std::vector<Flow> flows = {};
  std::vector<Phase> phases = {};
  std::vector<Fault> faults = {};
  std::vector<Objective> objectives = {};

  std::int64_t connections() const;
  std::chrono::milliseconds duration() const;  // Of all phases.
  double rate_per_s() const;                   // Of all flows, at load 1.
  int qos() const;                             // The highest of all flows.
  bool HasProcessFaults() const;
};

// kInvalid names what is wrong: a bound that is passed, a combination that has no meaning.
Status CheckScenario(const Scenario& scenario);

// "20,000 connections, 1,000 messages/s, 10s, 64 B, QoS 1": for people.
std::string DescribeLoad(const Scenario& scenario);

// How long a run waits for its target before it counts a hang.
struct RunLimits {
  std::chrono::nanoseconds connect{10'000'000'000};  // One connection, to the end of its handshake.
  std::chrono::nanoseconds connect_all{60'000'000'000};  // Besides what connect_rate_per_s takes.
  std::chrono::nanoseconds drain{5'000'000'000};  // After the load, for what is still under way.
  std::chrono::nanoseconds drain_quiet{500'000'000};  // Nothing came for so long: it is lost.
};

}  // namespace atalaya::stress
