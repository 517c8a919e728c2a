#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "telemetry/sample.h"

namespace atalaya::history {

inline constexpr std::size_t kMaxChunkSamples = 360;

// Times beyond this (the year 2109) cannot be stored.
inline constexpr std::int64_t kMaxTimeMs = (std::int64_t{1} << 42) - 1;

// Packs samples of one series: times as the change of their distance, values as the XOR with the
// value before; a steady series takes 2 bits a sample. `samples`: 1 to kMaxChunkSamples, times
// rising and within 0 to kMaxTimeMs. Values keep every bit, NaNs too.
//
// Layout, version 1: byte 1; varint count; varint first time; 8 bytes first value, low byte first;
// then a bit stream, high bit first, with a time and a value for each further sample.
//   time: the distance's change in ms:  0 -> 0;  10 + 6 bits;  110 + 10 bits;  1110 + 16 bits;
//   1111 + 64 bits, each two's complement.
//   value: XOR 0 -> 0;  10 + its bits in the window that was set last;  11 + 5 bits of leading
//   zeros + 6 bits of (length - 1) + that many bits, which sets the window.
// Source: Pelkonen et al., Gorilla, VLDB 2015; the buckets are this project's.
std::string EncodeChunk(std::span<const telemetry::Sample> samples);

// Unpacks into `out`, appending. `bytes` may be anything: kDamaged where it is no whole chunk
// (`out` is then as before), kVersion where it begins with a newer version.
Status DecodeChunk(std::string_view bytes, std::vector<telemetry::Sample>& out);

}  // namespace atalaya::history
