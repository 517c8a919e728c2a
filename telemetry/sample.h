#pragma once

#include <bit>
#include <cstdint>
#include <vector>

#include "telemetry/labels.h"

namespace atalaya::telemetry {

// One measured value at one time.
struct Sample {
  std::int64_t time_ms = 0;  // UTC.
  double value = 0;

  friend bool operator==(const Sample&, const Sample&) = default;
};

inline bool EarlierSample(const Sample& a, const Sample& b) { return a.time_ms < b.time_ms; }

// The NaN that marks "this series ended here", bit for bit Prometheus's, so that stores can be
// moved.
inline constexpr std::uint64_t kStaleNanBits = 0x7ff0000000000002;
inline double StaleMarker() { return std::bit_cast<double>(kStaleNanBits); }
inline bool IsStaleMarker(double value) {
  return std::bit_cast<std::uint64_t>(value) == kStaleNanBits;
}

// A sample with the series it belongs to: what scrapes, probes and packets become.
struct LabelledSample {
  Labels labels;  // With kMetricName.
  Sample sample;
};

}  // namespace atalaya::telemetry
