#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace atalaya::stress {

// What the head of each payload says of its message; the rest is filling.
struct Stamp {
  std::uint32_t run = 0;  // Tells this run's messages from a stranger's.
  std::uint32_t publisher = 0;
  std::uint32_t sequence = 0;    // Of the publisher, from 0.
  std::int64_t intended_ns = 0;  // From the start of the load.
  std::int64_t sent_ns = 0;
};

inline constexpr std::size_t kStampBytes = 32;

// Writes `stamp` with a checksum to the kStampBytes at `to`.
void WriteStamp(const Stamp& stamp, char* to);

// False where the kStampBytes at `from` do not carry what WriteStamp wrote.
bool ReadStamp(const char* from, Stamp* stamp);

// A payload of `bytes` letters, the same for the same seed; the stamp goes over its head.
std::string MakeFilling(std::uint64_t seed, std::size_t bytes);

}  // namespace atalaya::stress
