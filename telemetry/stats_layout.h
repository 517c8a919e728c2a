#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

#include "telemetry/stats_table.h"

// How a stats segment lies in its file, version 1: one header, then one block per loop. Words are
// 8 bytes, little endian, and aligned, so that each is read whole. Only the writer and the reader
// of stats_segment.h include this.
namespace atalaya::telemetry::stats_layout {

static_assert(std::endian::native == std::endian::little);

inline constexpr char kMagic[8] = {'A', 'T', 'L', 'S', 'T', 'A', 'T', 'S'};
inline constexpr std::uint32_t kVersion = 1;
inline constexpr std::size_t kCacheLine = 64;
inline constexpr std::size_t kMaxValues = 4096;  // A newer writer may know more than kStatCount.

struct Header {
  char magic[8];
  std::uint32_t version;
  std::uint32_t header_bytes;  // Where the first block begins.
  std::uint32_t block_bytes;   // From one block to the next; a multiple of kCacheLine.
  std::uint32_t loop_count;
  std::uint32_t value_count;  // Of each block.
  std::uint32_t reserved;
  std::int64_t pid;
  std::uint64_t process_start_ticks;
  std::int64_t start_time_ms;
  std::uint64_t stopping;
  char boot_id[40];  // Ends in 0 bytes.
  char name[64];     // Ends in 0 bytes.
  char padding[88];
};
static_assert(sizeof(Header) == 256);

// The first cache line of a block; the values follow in the next.
struct Beat {
  std::uint64_t heartbeats;
  std::uint64_t steady_ns;
  std::uint64_t check;  // BeatCheck of the two, so that half a write shows.
  std::uint64_t padding[5];
};
static_assert(sizeof(Beat) == kCacheLine);

inline std::uint64_t BeatCheck(std::uint64_t heartbeats, std::uint64_t steady_ns) {
  return heartbeats * 0x9e3779b97f4a7c15 + steady_ns;
}

inline std::size_t BlockBytes(std::size_t value_count) {
  const std::size_t bytes = sizeof(Beat) + value_count * sizeof(std::uint64_t);
  return (bytes + kCacheLine - 1) / kCacheLine * kCacheLine;
}

}  // namespace atalaya::telemetry::stats_layout
