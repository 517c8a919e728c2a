#pragma once

#include <string_view>

// The topics that mean something to the server itself; docs/PROTOCOL.md says what.
namespace atalaya::cloud_server {

inline constexpr std::string_view kTelemetryLevel = "telemetry";
inline constexpr std::string_view kPresenceLevel = "presence";
inline constexpr std::string_view kMailLevel = "to";
inline constexpr std::string_view kSysLevel = "$SYS";

// Whether the first level of `topic`, or of a filter, is `level`.
constexpr bool IsUnder(std::string_view topic, std::string_view level) {
  return topic.starts_with(level) && (topic.size() == level.size() || topic[level.size()] == '/');
}

// Whether no filter that begins with a wildcard matches `topic`: it begins with '$' (MQTT 5.0,
// 4.7.2), is for one client alone, or is one that nobody has published.
constexpr bool IsHiddenFromWildcards(std::string_view topic) {
  return topic.starts_with('$') || IsUnder(topic, kMailLevel) || IsUnder(topic, kPresenceLevel);
}

// Whether the server has rules of its own for publishes to `topic`. A few nanoseconds, mostly one
// comparison.
constexpr bool IsOwnTopic(std::string_view topic) {
  switch (topic.empty() ? '\0' : topic.front()) {
    case 't':
      return IsUnder(topic, kMailLevel) || IsUnder(topic, kTelemetryLevel);
    case 'p':
      return IsUnder(topic, kPresenceLevel);
    case '$':
      return IsUnder(topic, kSysLevel);
    default:
      return false;
  }
}

}  // namespace atalaya::cloud_server
