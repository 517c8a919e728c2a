#pragma once

#include <cmath>
#include <cstdint>

namespace atalaya::stress {

// The finalizer of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014).
inline std::uint64_t MixBits(std::uint64_t value) {
  value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9u;
  value = (value ^ (value >> 27)) * 0x94D049BB133111EBu;
  return value ^ (value >> 31);
}

inline constexpr std::uint64_t kGolden = 0x9E3779B97F4A7C15u;

// SplitMix64: the same numbers for the same seed, everywhere. Threads: one at a time.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(MixBits(seed + kGolden)) {}

  std::uint64_t Next() { return MixBits(state_ += kGolden); }
  // Exponentially distributed with mean 1.
  double NextGap() { return -std::log((static_cast<double>(Next() >> 11) + 0.5) * 0x1p-53); }

 private:
  std::uint64_t state_;
};

}  // namespace atalaya::stress
