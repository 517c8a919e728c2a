#include "history/chunk.h"

#include <bit>

#include "base/check.h"
#include "history/varint.h"

namespace atalaya::history {
namespace {

using telemetry::Sample;

constexpr char kFormat = 1;
constexpr int kMaxLeadingZeros = 31;  // 5 bits.

// The four prefixes of a time's change, with how many bits follow.
struct TimeBucket {
  unsigned prefix;
  int prefix_bits;
  int value_bits;
};
constexpr TimeBucket kTimeBuckets[] = {{0b10, 2, 6}, {0b110, 3, 10}, {0b1110, 4, 16}};
constexpr unsigned kWideTimePrefix = 0b1111;

class BitWriter {
 public:
  explicit BitWriter(std::string& out) : out_(out) {}

  // The low `count` bits of `bits`, high bit first; `count` 0 to 64.
  void Write(std::uint64_t bits, int count) {
    while (count > 0) {
      if (free_ == 0) {
        out_ += '\0';
        free_ = 8;
      }
      const int take = count < free_ ? count : free_;
      const std::uint64_t part = (bits >> (count - take)) & ((1u << take) - 1);
      out_.back() =
          static_cast<char>(static_cast<unsigned char>(out_.back()) | part << (free_ - take));
      free_ -= take;
      count -= take;
    }
  }

 private:
  std::string& out_;
  int free_ = 0;  // Bits in the last byte.
};

class BitReader {
 public:
  explicit BitReader(std::string_view in) : in_(in) {}

  // 0 past the end, which `failed` then tells.
  std::uint64_t Read(int count) {
    if (position_ + static_cast<std::size_t>(count) > in_.size() * 8) {
      failed_ = true;
      return 0;
    }
    std::uint64_t bits = 0;
    while (count > 0) {
      const int offset = static_cast<int>(position_ % 8);
      const int take = count < 8 - offset ? count : 8 - offset;
      const auto byte = static_cast<unsigned char>(in_[position_ / 8]);
      bits = bits << take | ((byte >> (8 - offset - take)) & ((1u << take) - 1));
      position_ += static_cast<std::size_t>(take);
      count -= take;
    }
    return bits;
  }
  bool failed() const { return failed_; }

 private:
  std::string_view in_;
  std::size_t position_ = 0;
  bool failed_ = false;
};

void WriteTimeChange(BitWriter& writer, std::int64_t change) {
  if (change == 0) return writer.Write(0, 1);
  for (const TimeBucket& bucket : kTimeBuckets) {
    const std::int64_t half = std::int64_t{1} << (bucket.value_bits - 1);
    if (change < -half || change >= half) continue;
    writer.Write(bucket.prefix, bucket.prefix_bits);
    return writer.Write(static_cast<std::uint64_t>(change), bucket.value_bits);
  }
  writer.Write(kWideTimePrefix, 4);
  writer.Write(static_cast<std::uint64_t>(change), 64);
}

std::int64_t ReadTimeChange(BitReader& reader) {
  if (reader.Read(1) == 0) return 0;
  for (const TimeBucket& bucket : kTimeBuckets) {
    if (reader.Read(1) == 1) continue;
    const int unused = 64 - bucket.value_bits;
    return static_cast<std::int64_t>(reader.Read(bucket.value_bits) << unused) >> unused;
  }
  return static_cast<std::int64_t>(reader.Read(64));
}

// The bits in which values differed last: what `10` refers to.
struct Window {
  int leading = -1;  // None yet.
  int length = 0;
};

void WriteValueChange(BitWriter& writer, Window& window, std::uint64_t change) {
  if (change == 0) return writer.Write(0, 1);
  const int zeros = std::countl_zero(change);
  const int leading = zeros < kMaxLeadingZeros ? zeros : kMaxLeadingZeros;
  const int trailing = std::countr_zero(change);
  const int window_trailing = 64 - window.leading - window.length;
  if (window.leading >= 0 && leading >= window.leading && trailing >= window_trailing) {
    writer.Write(0b10, 2);
    return writer.Write(change >> window_trailing, window.length);
  }
  window = {leading, 64 - leading - trailing};
  writer.Write(0b11, 2);
  writer.Write(static_cast<std::uint64_t>(leading), 5);
  writer.Write(static_cast<std::uint64_t>(window.length - 1), 6);
  writer.Write(change >> trailing, window.length);
}

// False where no encoder would have written so.
bool ReadValueChange(BitReader& reader, Window& window, std::uint64_t& change) {
  change = 0;
  if (reader.Read(1) == 0) return true;
  if (reader.Read(1) == 1) {
    window.leading = static_cast<int>(reader.Read(5));
    window.length = static_cast<int>(reader.Read(6)) + 1;
    if (window.leading + window.length > 64) return false;
  }
  if (window.leading < 0) return false;
  change = reader.Read(window.length) << (64 - window.leading - window.length);
  return true;
}

std::uint64_t TakeFixed64(std::string_view& in) {
  std::uint64_t bits = 0;
  for (unsigned i = 0; i < 8; ++i) {
    bits |= std::uint64_t{static_cast<unsigned char>(in[i])} << (8 * i);
  }
  in.remove_prefix(8);
  return bits;
}

Status DecodeStream(std::string_view in, std::size_t count, Sample sample,
                    std::vector<Sample>& out) {
  BitReader reader(in);
  Window window;
  std::int64_t distance = 0;
  for (std::size_t i = 1; i < count; ++i) {
    // Unsigned, because a hostile stream may overflow; the range check below then refuses it.
    distance = static_cast<std::int64_t>(static_cast<std::uint64_t>(distance) +
                                         static_cast<std::uint64_t>(ReadTimeChange(reader)));
    std::uint64_t change = 0;
    const bool good = ReadValueChange(reader, window, change);
    if (!good || reader.failed() || distance <= 0 || distance > kMaxTimeMs - sample.time_ms) {
      return Fail(ErrorCode::kDamaged, "chunk: damaged at sample {} of {}", i, count);
    }
    sample.time_ms += distance;
    sample.value = std::bit_cast<double>(std::bit_cast<std::uint64_t>(sample.value) ^ change);
    out.push_back(sample);
  }
  return {};
}

}  // namespace

std::string EncodeChunk(std::span<const Sample> samples) {
  ATALAYA_CHECK(!samples.empty() && samples.size() <= kMaxChunkSamples);
  ATALAYA_CHECK(samples.front().time_ms >= 0 && samples.back().time_ms <= kMaxTimeMs);
  std::string out;
  out.reserve(32 + samples.size() * 2);
  out += kFormat;
  PutVarint(out, samples.size());
  PutVarint(out, static_cast<std::uint64_t>(samples.front().time_ms));
  std::uint64_t value = std::bit_cast<std::uint64_t>(samples.front().value);
  for (unsigned i = 0; i < 8; ++i) out += static_cast<char>(value >> (8 * i));

  BitWriter writer(out);
  Window window;
  std::int64_t time = samples.front().time_ms;
  std::int64_t distance = 0;
  for (const Sample& sample : samples.subspan(1)) {
    ATALAYA_CHECK(sample.time_ms > time);
    WriteTimeChange(writer, sample.time_ms - time - distance);
    distance = sample.time_ms - time;
    time = sample.time_ms;
    const std::uint64_t next = std::bit_cast<std::uint64_t>(sample.value);
    WriteValueChange(writer, window, value ^ next);
    value = next;
  }
  return out;
}

Status DecodeChunk(std::string_view bytes, std::vector<Sample>& out) {
  if (bytes.empty()) return Fail(ErrorCode::kDamaged, "chunk: empty");
  if (bytes.front() > kFormat) {
    return Fail(ErrorCode::kVersion, "chunk: format {}; this program reads up to {}",
                static_cast<int>(bytes.front()), static_cast<int>(kFormat));
  }
  const bool known = bytes.front() == kFormat;
  bytes.remove_prefix(1);
  const auto count = TakeVarint(bytes);
  const auto first_ms = TakeVarint(bytes);
  if (!known || !count || *count == 0 || *count > kMaxChunkSamples || !first_ms ||
      *first_ms > static_cast<std::uint64_t>(kMaxTimeMs) || bytes.size() < 8) {
    return Fail(ErrorCode::kDamaged, "chunk: damaged at its beginning");
  }
  const Sample first{static_cast<std::int64_t>(*first_ms),
                     std::bit_cast<double>(TakeFixed64(bytes))};
  const std::size_t before = out.size();
  out.push_back(first);
  Status done = DecodeStream(bytes, *count, first, out);
  if (!done) out.resize(before);
  return done;
}

}  // namespace atalaya::history
