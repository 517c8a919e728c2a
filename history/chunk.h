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

// Packs samples of one series into a few bits each; a steady series takes next to nothing.
// `samples`: 1 to kMaxChunkSamples, times rising and within 0 to kMaxTimeMs. Values keep every bit,
// NaNs too.
//
// Layout, version 3: byte 3; varint count; times; values (history/columns.h). Version 2, of older
// files, is the same with fewer ways to pack a column; version 1: history/chunk_v1.h.
std::string EncodeChunk(std::span<const telemetry::Sample> samples);

// Unpacks into `out`, appending. `bytes` may be anything: kDamaged where it is no whole chunk
// (`out` is then as before), kVersion where it begins with a newer version.
Status DecodeChunk(std::string_view bytes, std::vector<telemetry::Sample>& out);

}  // namespace atalaya::history
