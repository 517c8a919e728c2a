#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

namespace atalaya::cloud_server {

// Chosen once for each process, so that nobody outside can make topics that collide.
std::uint64_t HashSeed();

namespace internal {

inline std::uint64_t Mix(std::uint64_t a, std::uint64_t b) {
  __extension__ using Wide = unsigned __int128;
  const Wide product = static_cast<Wide>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

inline std::uint64_t Load(const char* at, std::size_t bytes) {
  std::uint64_t word = 0;
  std::memcpy(&word, at, bytes);
  return word;
}

}  // namespace internal

// A fast keyed hash of short strings: multiply and fold, 16 bytes a step. The same for one string
// within a process only.
inline std::uint64_t HashBytes(std::string_view bytes) {
  using internal::Load;
  using internal::Mix;
  static const std::uint64_t seed = HashSeed();
  std::uint64_t state = seed ^ bytes.size();
  const char* at = bytes.data();
  std::size_t left = bytes.size();
  for (; left > 16; left -= 16, at += 16) {
    state = Mix(Load(at, 8) ^ 0x9E3779B97F4A7C15, Load(at + 8, 8) ^ state);
  }
  std::uint64_t a = 0;
  std::uint64_t b = 0;
  if (left >= 8) {
    a = Load(at, 8);
    b = Load(at + left - 8, 8);
  } else if (left >= 4) {
    a = Load(at, 4);
    b = Load(at + left - 4, 4);
  } else if (left > 0) {
    a = static_cast<std::uint8_t>(at[0]) |
        static_cast<std::uint64_t>(static_cast<std::uint8_t>(at[left / 2])) << 8;
    b = static_cast<std::uint8_t>(at[left - 1]);
  }
  return Mix(Mix(a ^ 0xD6E8FEB86659FD93, b ^ state), seed ^ 0xA0761D6478BD642F);
}

}  // namespace atalaya::cloud_server
