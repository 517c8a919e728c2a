#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

namespace atalaya::alertd {

inline constexpr std::chrono::milliseconds kFirstRetry{1'000};
inline constexpr std::chrono::milliseconds kLongestRetry{300'000};
inline constexpr std::chrono::milliseconds kLongestRetryAfter{3'600'000};
inline constexpr double kRetryJitter = 0.2;  // Each way.

// How long to wait after attempt number `attempt` (from 1) failed: 1, 2, 4 ... 300 s, up to 20 %
// more or less as `random` (0 <= x < 1) says, at most 300 s. What the receiver asked for counts
// instead, within kFirstRetry and kLongestRetryAfter.
std::chrono::milliseconds RetryDelay(std::int64_t attempt, double random,
                                     std::optional<std::chrono::milliseconds> retry_after);

// A Retry-After header: seconds, or a date in the form that RFC 9110 section 5.6.7 prefers; a past
// one is zero. Nothing where it is neither.
std::optional<std::chrono::milliseconds> ParseRetryAfter(std::string_view header,
                                                         std::int64_t now_ms);

}  // namespace atalaya::alertd
