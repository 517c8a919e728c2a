#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "telemetry/sample.h"

namespace atalaya::alertd {

inline constexpr std::size_t kMaxTelemetryBytes = 64u << 10;
inline constexpr std::size_t kMaxTelemetryFields = 256;  // Of one object.

struct TelemetryReading {
  struct Value {
    std::string metric;
    telemetry::Sample sample;
  };
  std::string client;  // Decoded (mqtt/client_level.h).
  std::vector<Value> values;
  bool timed = false;  // The device said when.
};

// Reads one packet on `telemetry/CLIENT/NAME`: a plain number becomes
// telemetry_NAME{client=CLIENT}; a flat JSON object gives telemetry_NAME_FIELD for each field that
// is a number or a bool (`value` alone gives telemetry_NAME), at its `time` (RFC 3339, or Unix
// seconds) where it has one, else at `now_ms`. On `telemetry/CLIENT` an object gives
// telemetry_FIELD. Texts are passed over; further topic levels and characters that no metric name
// has become "_". kInvalid where it is neither; kLimit where it is over a limit above.
Result<TelemetryReading> ReadTelemetryPacket(std::string_view topic, std::string_view payload,
                                             std::int64_t now_ms);

// The client of a topic `telemetry/CLIENT...` or `presence/CLIENT`, decoded; "" where there is
// none, or it is no UTF-8.
std::string ClientOfTopic(std::string_view topic);

}  // namespace atalaya::alertd
