#include <string>
#include <string_view>

#include "alertd/notify/notice.h"

namespace atalaya::alertd {
namespace {

constexpr std::string_view kReplacement = "\xef\xbf\xbd";

unsigned Byte(std::string_view text, std::size_t at) {
  return static_cast<unsigned char>(text[at]);
}

// Length of the well-formed character at `at` (RFC 3629), or 0.
std::size_t CharacterBytes(std::string_view text, std::size_t at) {
  const unsigned lead = Byte(text, at);
  if (lead < 0x80) return 1;
  const std::size_t size = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || at + size > text.size()) return 0;
  for (std::size_t i = 1; i < size; ++i) {
    if ((Byte(text, at + i) & 0xc0) != 0x80) return 0;
  }
  const unsigned second = Byte(text, at + 1);
  if (lead == 0xe0 && second < 0xa0) return 0;  // Overlong.
  if (lead == 0xed && second > 0x9f) return 0;  // A surrogate.
  if (lead == 0xf0 && second < 0x90) return 0;  // Overlong.
  if (lead == 0xf4 && second > 0x8f) return 0;  // Beyond U+10FFFF.
  return size;
}

}  // namespace

std::string CutText(std::string_view text, std::size_t max_bytes) {
  std::string cut;
  cut.reserve(text.size() < max_bytes ? text.size() : max_bytes);
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t size = CharacterBytes(text, at);
    const std::string_view piece = size == 0 ? kReplacement : text.substr(at, size);
    if (cut.size() + piece.size() > max_bytes) break;
    cut += piece;
    at += size == 0 ? 1 : size;
  }
  return cut;
}

std::string OneLine(std::string_view text) {
  std::string line(text);
  for (char& c : line) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  }
  return line;
}

}  // namespace atalaya::alertd
