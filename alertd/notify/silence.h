#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "telemetry/series_source.h"

namespace atalaya::alertd {

inline constexpr std::size_t kMaxSilenceTextBytes = 4'096;  // Of a comment or an author.

// Alerts that people asked not to hear of for a while: those for which every matcher holds.
struct Silence {
  std::string id;  // A random UUID; "" of one that is to be made.
  std::vector<telemetry::Matcher> matchers;
  std::int64_t starts_ms = 0;
  std::int64_t ends_ms = 0;
  std::int64_t updated_ms = 0;
  std::string created_by;
  std::string comment;
};

enum class SilenceState { kPending, kActive, kExpired };

SilenceState StateOf(const Silence& silence, std::int64_t now_ms);

// "pending", "active", "expired".
std::string_view SilenceStateName(SilenceState state);

// kInvalid, with what would be right, where one as it stands must not be kept: no matcher, only
// matchers that hold for an alert without labels, a pattern that is none, an end before its start
// or before `now_ms`, too much text.
Status CheckSilence(const Silence& silence, std::int64_t now_ms);

// How state.db keeps matchers.
std::string EncodeMatchers(const std::vector<telemetry::Matcher>& matchers);
Result<std::vector<telemetry::Matcher>> DecodeMatchers(std::string_view encoded);

}  // namespace atalaya::alertd
