#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace atalaya::history {

// Appends bits to a string, high bit first. Finish pads the last byte with zeros.
class BitWriter {
 public:
  explicit BitWriter(std::string& out) : out_(out) {}

  // The low `count` bits of `bits`; `count` 0 to 64.
  void Write(std::uint64_t bits, int count) {
    if (count > 32) {
      Put(bits >> 32, count - 32);
      count = 32;
    }
    Put(bits, count);
  }
  // A number that is mostly below 2^k, 0 to 2^63: exponential-Golomb of order k. The zeros say how
  // many bits follow the first one.
  void WriteGolomb(std::uint64_t value, int k) {
    const std::uint64_t high = (value >> k) + 1;
    const int bits = static_cast<int>(std::bit_width(high));
    Write(0, bits - 1);
    Write(high, bits);
    Write(value, k);
  }
  void Finish() {
    if (used_ > 0) Put(0, 8 - used_);
  }

 private:
  void Put(std::uint64_t bits, int count) {
    if (count == 0) return;
    held_ = held_ << count | (bits & ((std::uint64_t{1} << count) - 1));
    used_ += count;
    while (used_ >= 8) {
      used_ -= 8;
      out_ += static_cast<char>(held_ >> used_);
    }
  }

  std::string& out_;
  std::uint64_t held_ = 0;  // Its low `used_` bits wait.
  int used_ = 0;
};

// How many bits WriteGolomb takes.
inline int GolombBits(std::uint64_t value, int k) {
  return 2 * static_cast<int>(std::bit_width((value >> k) + 1)) - 1 + k;
}

// Reads what BitWriter wrote. Past the end it gives zeros, which `failed` then tells.
class BitReader {
 public:
  explicit BitReader(std::string_view in) : in_(in) {}

  std::uint64_t Read(int count) {  // 0 to 64.
    if (count > 32) {
      const std::uint64_t high = Read(count - 32);
      return high << 32 | Read(32);
    }
    if (count == 0) return 0;
    const std::uint64_t bits = Peek() >> (64 - count);
    position_ += static_cast<std::size_t>(count);
    return bits;
  }
  std::uint64_t ReadGolomb(int k) {
    const std::uint64_t ahead = Peek();
    const int zeros = std::countl_zero(ahead | 1);
    const int total = 2 * zeros + 1 + k;
    if (total <= kPeekBits) {
      position_ += static_cast<std::size_t>(total);
      const std::uint64_t both = ahead << zeros >> (64 - zeros - 1 - k);
      return both - (std::uint64_t{1} << k);
    }
    return ReadLongGolomb(k);
  }
  bool failed() const { return position_ > in_.size() * 8; }
  std::size_t bytes() const { return (position_ + 7) / 8; }  // Begun so far.

 private:
  static constexpr int kPeekBits = 57;  // Of the 64 that Peek gives, that many are surely real.

  std::uint64_t Peek() const {
    const std::size_t byte = position_ / 8;
    unsigned char raw[8] = {};
    if (byte + 8 <= in_.size()) {
      std::memcpy(raw, in_.data() + byte, 8);
    } else if (byte < in_.size()) {
      std::memcpy(raw, in_.data() + byte, in_.size() - byte);
    }
    return __builtin_bswap64(std::bit_cast<std::uint64_t>(raw)) << (position_ % 8);
  }
  std::uint64_t ReadLongGolomb(int k) {
    int zeros = 0;
    while (zeros < 64 && !failed() && Read(1) == 0) ++zeros;
    if (zeros == 64) position_ = in_.size() * 8 + 1;  // Nobody writes so.
    const std::uint64_t high = (std::uint64_t{1} << (zeros & 63)) | Read(zeros & 63);
    const std::uint64_t low = Read(k);
    return (high - 1) << k | low;
  }

  std::string_view in_;
  std::size_t position_ = 0;
};

}  // namespace atalaya::history
