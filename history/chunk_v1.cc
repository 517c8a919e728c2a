#include "history/chunk_v1.h"

#include <bit>

#include "history/bits.h"
#include "history/chunk.h"
#include "history/varint.h"
#include "history/xor_stream.h"

namespace atalaya::history {
namespace {

using telemetry::Sample;

// The bits that follow each prefix of a time's change.
constexpr int kTimeBits[] = {6, 10, 16};

std::int64_t ReadTimeChange(BitReader& reader) {
  if (reader.Read(1) == 0) return 0;
  for (const int bits : kTimeBits) {
    if (reader.Read(1) == 1) continue;
    const int unused = 64 - bits;
    return static_cast<std::int64_t>(reader.Read(bits) << unused) >> unused;
  }
  return static_cast<std::int64_t>(reader.Read(64));
}

std::uint64_t TakeFixed64(std::string_view& in) {
  std::uint64_t bits = 0;
  for (unsigned i = 0; i < 8; ++i) {
    bits |= std::uint64_t{static_cast<unsigned char>(in[i])} << (8 * i);
  }
  in.remove_prefix(8);
  return bits;
}

}  // namespace

Status DecodeChunkV1(std::string_view bytes, std::vector<Sample>& out) {
  const auto count = TakeVarint(bytes);
  const auto first_ms = TakeVarint(bytes);
  if (!count || *count == 0 || *count > kMaxChunkSamples || !first_ms ||
      *first_ms > static_cast<std::uint64_t>(kMaxTimeMs) || bytes.size() < 8) {
    return Fail(ErrorCode::kDamaged, "chunk: damaged at its beginning");
  }
  Sample sample{static_cast<std::int64_t>(*first_ms), std::bit_cast<double>(TakeFixed64(bytes))};
  out.push_back(sample);
  BitReader reader(bytes);
  XorWindow window;
  std::int64_t distance = 0;
  for (std::size_t i = 1; i < *count; ++i) {
    // Unsigned, because a hostile stream may overflow; the range check below then refuses it.
    distance = static_cast<std::int64_t>(static_cast<std::uint64_t>(distance) +
                                         static_cast<std::uint64_t>(ReadTimeChange(reader)));
    std::uint64_t change = 0;
    const bool good = window.Read(reader, change);
    if (!good || reader.failed() || distance <= 0 || distance > kMaxTimeMs - sample.time_ms) {
      return Fail(ErrorCode::kDamaged, "chunk: damaged at sample {} of {}", i, *count);
    }
    sample.time_ms += distance;
    sample.value = std::bit_cast<double>(std::bit_cast<std::uint64_t>(sample.value) ^ change);
    out.push_back(sample);
  }
  return {};
}

}  // namespace atalaya::history
