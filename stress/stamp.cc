#include "stress/stamp.h"

#include <cstring>

namespace atalaya::stress {
namespace {

constexpr std::uint64_t kGolden = 0x9E3779B97F4A7C15u;

// The finalizer of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014).
std::uint64_t Mix(std::uint64_t value) {
  value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9u;
  value = (value ^ (value >> 27)) * 0x94D049BB133111EBu;
  return value ^ (value >> 31);
}

struct Wire {
  std::uint32_t run;
  std::uint32_t pair;
  std::uint32_t sequence;
  std::uint32_t check;
  std::int64_t intended_ns;
  std::int64_t sent_ns;
};
static_assert(sizeof(Wire) == kStampBytes);

std::uint32_t Checksum(const Wire& wire) {
  std::uint64_t sum = (static_cast<std::uint64_t>(wire.run) << 32) | wire.pair;
  sum = sum * kGolden + wire.sequence;
  sum = sum * kGolden + static_cast<std::uint64_t>(wire.intended_ns);
  sum = sum * kGolden + static_cast<std::uint64_t>(wire.sent_ns);
  return static_cast<std::uint32_t>(Mix(sum));
}

}  // namespace

void WriteStamp(const Stamp& stamp, char* to) {
  Wire wire{stamp.run, stamp.pair, stamp.sequence, 0, stamp.intended_ns, stamp.sent_ns};
  wire.check = Checksum(wire);
  std::memcpy(to, &wire, sizeof wire);
}

bool ReadStamp(const char* from, Stamp* stamp) {
  Wire wire;
  std::memcpy(&wire, from, sizeof wire);
  *stamp = {wire.run, wire.pair, wire.sequence, wire.intended_ns, wire.sent_ns};
  return wire.check == Checksum(wire);
}

std::string MakeFilling(std::uint64_t seed, std::size_t bytes) {
  std::string filling(bytes, '\0');
  std::uint64_t state = Mix(seed + kGolden);
  for (char& byte : filling) {
    state += kGolden;
    byte = static_cast<char>('a' + Mix(state) % 26);
  }
  return filling;
}

}  // namespace atalaya::stress
