#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace atalaya::stress {

enum class FaultKind {
  kKill,          // SIGKILL; started again after `lasts`.
  kStop,          // SIGSTOP; SIGCONT after `lasts`.
  kSlowReaders,   // `count` further subscribers of every topic that read nothing.
  kHalfOpen,      // `count` connections that say half a CONNECT and no more.
  kMalformed,     // `count` connections that send bytes that are no packet.
  kConnectStorm,  // `count` further clients that connect at once, and leave.
  kReconnect,     // Every connection of the run is reset at once, and comes back.
  kAway,          // The subscribers leave, and come back after `lasts`.
};
inline constexpr std::array<std::string_view, 8> kFaultNames = {
    "kill", "stop", "slow-readers", "half-open", "malformed", "connect-storm", "reconnect", "away"};
inline std::string_view FaultName(FaultKind kind) {
  return kFaultNames[static_cast<std::size_t>(kind)];
}

inline constexpr std::int64_t kMaxFaultConnections = 10'000;

// Something that is done to the target while the load goes on.
struct Fault {
  FaultKind kind = FaultKind::kStop;
  std::chrono::milliseconds at{0};  // From the start of the load.
  std::chrono::milliseconds lasts{1'000};
  std::int64_t count = 10;
  std::string alert = "";  // Which alert it should raise; "": any.

  bool OnProcess() const { return kind == FaultKind::kKill || kind == FaultKind::kStop; }
  bool ByWorkers() const { return kind == FaultKind::kReconnect || kind == FaultKind::kAway; }
};

}  // namespace atalaya::stress
