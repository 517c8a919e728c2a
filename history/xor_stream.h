#pragma once

#include <bit>
#include <cstdint>

#include "history/bits.h"

namespace atalaya::history {

// The XOR of each value with the one before, as bits; see EncodeValues. Shared by the formats.
class XorWindow {
 public:
  void Write(BitWriter& writer, std::uint64_t change) {
    if (change == 0) return writer.Write(0, 1);
    const int zeros = std::countl_zero(change);
    const int leading = zeros < kMaxLeadingZeros ? zeros : kMaxLeadingZeros;
    const int trailing = std::countr_zero(change);
    const int window_trailing = 64 - leading_ - length_;
    if (leading_ >= 0 && leading >= leading_ && trailing >= window_trailing) {
      writer.Write(0b10, 2);
      return writer.Write(change >> window_trailing, length_);
    }
    leading_ = leading;
    length_ = 64 - leading - trailing;
    writer.Write(0b11, 2);
    writer.Write(static_cast<std::uint64_t>(leading), 5);
    writer.Write(static_cast<std::uint64_t>(length_ - 1), 6);
    writer.Write(change >> trailing, length_);
  }

  // False where no writer would have written so.
  bool Read(BitReader& reader, std::uint64_t& change) {
    change = 0;
    if (reader.Read(1) == 0) return true;
    if (reader.Read(1) == 1) {
      leading_ = static_cast<int>(reader.Read(5));
      length_ = static_cast<int>(reader.Read(6)) + 1;
      if (leading_ + length_ > 64) return false;
    }
    if (leading_ < 0) return false;
    change = reader.Read(length_) << (64 - leading_ - length_);
    return true;
  }

 private:
  static constexpr int kMaxLeadingZeros = 31;  // 5 bits.
  int leading_ = -1;                           // None yet.
  int length_ = 0;
};

}  // namespace atalaya::history
