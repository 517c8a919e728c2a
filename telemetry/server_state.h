#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "telemetry/stats_segment.h"

namespace atalaya::telemetry {

enum class ServerState {
  kUp,
  kHung,  // The process lives and a loop's heartbeat is older than the limit.
  kDead,  // The process is gone (or a zombie, or the pid is another's) and had not said it would
          // stop.
  kStopping,  // It said so first: it is draining, or has ended since.
  kAbsent,    // There is no readable segment.
};
inline constexpr std::array kServerStates{ServerState::kUp, ServerState::kHung, ServerState::kDead,
                                          ServerState::kStopping, ServerState::kAbsent};

std::string_view ServerStateName(ServerState state);  // "up", "hung", ...

// What /proc says about one process.
struct ProcessIdentity {
  std::uint64_t start_ticks = 0;  // Field 22 of /proc/PID/stat.
  char state = '?';               // Field 3.
};

// Empty where there is no such process (or nothing that reads like one).
std::optional<ProcessIdentity> ReadProcessIdentity(const std::filesystem::path& procfs,
                                                   std::int64_t pid);

// The id of this boot, or "" where it cannot be read.
std::string ReadBootId(const std::filesystem::path& procfs);

struct JudgeInput {
  std::optional<ProcessIdentity> process;  // Of the snapshot's pid.
  std::string boot_id;                     // "" is taken as unknown, and so as the same.
  std::int64_t now_steady_ns = 0;
  std::chrono::nanoseconds hung_after = kHungAfter;
};

// Pure. A heartbeat more than `hung_after` in the future was not written by a loop of this boot,
// and counts as hung.
ServerState JudgeState(const StatsSnapshot& snapshot, const JudgeInput& input);

// Reads what JudgeState needs from `procfs` and judges; `now_steady_ns` is CLOCK_MONOTONIC.
ServerState JudgeState(const Result<StatsSnapshot>& snapshot, const std::filesystem::path& procfs,
                       std::int64_t now_steady_ns);

}  // namespace atalaya::telemetry
