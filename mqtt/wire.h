#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"

// The integers and strings of MQTT's wire format (5.0, section 1.5), for the codec's own files.
namespace atalaya::mqtt {

inline constexpr std::uint32_t kMaxVarint = 268'435'455;

// Takes fields off the front of a view. A field that is not there spoils the reader: that and all
// further reads return zeros, and good() is false. So a decoder asks once, at its end.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}

  bool good() const { return good_; }
  bool AtEnd() const { return rest_.empty(); }
  std::string_view rest() const { return rest_; }
  void Spoil() {
    good_ = false;
    rest_ = {};
  }

  std::uint8_t Byte() {
    if (rest_.empty()) {
      Spoil();
      return 0;
    }
    const auto value = static_cast<std::uint8_t>(rest_.front());
    rest_.remove_prefix(1);
    return value;
  }

  std::uint16_t TwoBytes() {
    if (rest_.size() < 2) {
      Spoil();
      return 0;
    }
    const auto value = static_cast<std::uint16_t>(static_cast<std::uint8_t>(rest_[0]) << 8 |
                                                  static_cast<std::uint8_t>(rest_[1]));
    rest_.remove_prefix(2);
    return value;
  }

  std::uint32_t FourBytes() {
    const std::uint32_t high = TwoBytes();
    return high << 16 | TwoBytes();
  }

  // A variable byte integer in its shortest form, of at most four bytes.
  std::uint32_t Varint() {
    std::uint32_t value = 0;
    for (unsigned shift = 0; shift < 28; shift += 7) {
      const std::uint8_t byte = Byte();
      value |= (byte & 0x7Fu) << shift;
      if ((byte & 0x80) != 0) continue;
      if (byte == 0 && shift > 0) break;
      return value;
    }
    Spoil();
    return 0;
  }

  std::string_view Bytes(std::size_t count) {
    if (rest_.size() < count) {
      Spoil();
      return {};
    }
    const std::string_view bytes = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return bytes;
  }

  // Two bytes of length, and the bytes.
  std::string_view Binary() { return Bytes(TwoBytes()); }

 private:
  std::string_view rest_;
  bool good_ = true;
};

inline void AppendTwoBytes(std::uint16_t value, std::string* out) {
  const char bytes[2] = {static_cast<char>(value >> 8), static_cast<char>(value)};
  out->append(bytes, 2);
}

inline void AppendVarint(std::size_t value, std::string* out) {
  ATALAYA_CHECK(value <= kMaxVarint);
  do {
    const auto low = static_cast<std::uint8_t>(value & 0x7F);
    value >>= 7;
    out->push_back(static_cast<char>(value > 0 ? low | 0x80 : low));
  } while (value > 0);
}

inline std::size_t VarintBytes(std::size_t value) {
  return value < 128 ? 1 : value < 16'384 ? 2 : value < 2'097'152 ? 3 : 4;
}

inline void AppendBinary(std::string_view bytes, std::string* out) {
  ATALAYA_CHECK(bytes.size() <= 65'535);
  AppendTwoBytes(static_cast<std::uint16_t>(bytes.size()), out);
  out->append(bytes);
}

}  // namespace atalaya::mqtt
