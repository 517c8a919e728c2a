#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "telemetry/labels.h"
#include "telemetry/sample.h"

namespace atalaya::history {

using SeriesId = std::uint32_t;  // From 1.
inline constexpr SeriesId kMaxSeriesId = (1u << 21) - 1;

// A label set as stored: per label, sorted by name, varint length and bytes of name and value.
std::string EncodeLabels(const telemetry::Labels& labels);
Result<telemetry::Labels> DecodeLabels(std::string_view bytes);  // kDamaged.

// One accepted sample of one Append, as kept until its series is moved to a chunk.
struct BatchSample {
  SeriesId series = 0;
  telemetry::Sample sample;

  friend bool operator==(const BatchSample&, const BatchSample&) = default;
};

// Layout, version 1: byte 1; varint count; then per sample, against the one before (0 at first):
// zigzag varint of the series' change, zigzag varint of the time's change, varint of the value's
// bytes in reverse order (which makes whole numbers short).
std::string EncodeBatch(const std::vector<BatchSample>& samples);
Result<std::vector<BatchSample>> DecodeBatch(std::string_view bytes);  // kDamaged or kVersion.

}  // namespace atalaya::history
