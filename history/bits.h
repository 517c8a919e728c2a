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
    if (count > kSurelyHeld) {
      const std::uint64_t high = Read(count - 32);
      return high << 32 | Read(32);
    }
    Refill();
    const std::uint64_t bits = count == 0 ? 0 : ahead_ >> (64 - count);
    Skip(count);
    return bits;
  }
  std::uint64_t ReadGolomb(int k) {
    Refill();
    const int zeros = std::countl_zero(ahead_ | 1);
    const int total = 2 * zeros + 1 + k;
    if (total <= kSurelyHeld) {
      const std::uint64_t both = ahead_ << zeros >> (64 - zeros - 1 - k);
      Skip(total);
      return both - (std::uint64_t{1} << k);
    }
    // By a copy, so that this reader can stay in registers.
    BitReader after = *this;
    const std::uint64_t value = after.ReadLongGolomb(k);
    *this = after;
    return value;
  }
  bool failed() const { return position() > in_.size() * 8; }
  std::size_t bytes() const { return (position() + 7) / 8; }  // Begun so far.

 private:
  static constexpr int kSurelyHeld = 56;  // Bits, after Refill.

  std::size_t position() const { return next_ * 8 - static_cast<std::size_t>(held_); }
  void Skip(int count) {
    ahead_ <<= count;
    held_ -= count;
  }
  void Refill() {
    if (next_ + 8 > in_.size()) return RefillAtEnd();
    std::uint64_t word = 0;
    std::memcpy(&word, in_.data() + next_, 8);
    ahead_ |= __builtin_bswap64(word) >> held_;
    next_ += static_cast<std::size_t>(63 - held_) / 8;
    held_ |= 56;
  }
  void RefillAtEnd() {
    for (; held_ < kSurelyHeld; held_ += 8, ++next_) {
      const std::uint64_t byte = next_ < in_.size() ? static_cast<unsigned char>(in_[next_]) : 0;
      ahead_ |= byte << (56 - held_);
    }
  }
  std::uint64_t ReadLongGolomb(int k) {
    int zeros = 0;
    while (zeros < 64 && !failed() && Read(1) == 0) ++zeros;
    if (zeros == 64) next_ = in_.size() + 9;  // Nobody writes so; `failed` tells it.
    const std::uint64_t high = (std::uint64_t{1} << (zeros & 63)) | Read(zeros & 63);
    const std::uint64_t low = Read(k);
    return (high - 1) << k | low;
  }

  std::string_view in_;
  std::size_t next_ = 0;     // The byte behind those that `ahead_` counts.
  std::uint64_t ahead_ = 0;  // What comes next, high bit first: `held_` bits and maybe some more,
  int held_ = 0;             // which are then the next byte's; at most 63.
};

}  // namespace atalaya::history
