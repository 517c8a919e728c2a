#include "stress/stamp.h"

#include <cstring>

#include "stress/random.h"

namespace atalaya::stress {
namespace {

struct Wire {
  std::uint32_t run;
  std::uint32_t publisher;
  std::uint32_t sequence;
  std::uint32_t check;
  std::int64_t intended_ns;
  std::int64_t sent_ns;
};
static_assert(sizeof(Wire) == kStampBytes);

std::uint32_t Checksum(const Wire& wire) {
  std::uint64_t sum = (static_cast<std::uint64_t>(wire.run) << 32) | wire.publisher;
  sum = sum * kGolden + wire.sequence;
  sum = sum * kGolden + static_cast<std::uint64_t>(wire.intended_ns);
  sum = sum * kGolden + static_cast<std::uint64_t>(wire.sent_ns);
  return static_cast<std::uint32_t>(MixBits(sum));
}

}  // namespace

void WriteStamp(const Stamp& stamp, char* to) {
  Wire wire{stamp.run, stamp.publisher, stamp.sequence, 0, stamp.intended_ns, stamp.sent_ns};
  wire.check = Checksum(wire);
  std::memcpy(to, &wire, sizeof wire);
}

bool ReadStamp(const char* from, Stamp* stamp) {
  Wire wire;
  std::memcpy(&wire, from, sizeof wire);
  *stamp = {wire.run, wire.publisher, wire.sequence, wire.intended_ns, wire.sent_ns};
  return wire.check == Checksum(wire);
}

std::string MakeFilling(std::uint64_t seed, std::size_t bytes) {
  std::string filling(bytes, '\0');
  Random random(seed);
  for (char& byte : filling) byte = static_cast<char>('a' + random.Next() % 26);
  return filling;
}

}  // namespace atalaya::stress
