#include <time.h>

#include <algorithm>
#include <array>
#include <cstdint>

#include "alertd/notify/mail.h"
#include "base/base64.h"

namespace atalaya::alertd {
namespace {

constexpr std::size_t kMaxHeaderText = 1'000;
constexpr std::size_t kMaxPlainHeader = 200;      // Far below the 998 of RFC 5322.
constexpr std::size_t kEncodedWordBytes = 45;     // 60 characters of base64; a word has up to 75.
constexpr std::size_t kQuotedPrintableLine = 75;  // And the soft break's "=".

bool IsPlain(std::string_view text) {
  if (text.size() > kMaxPlainHeader || text.find("=?") != std::string_view::npos) return false;
  for (const char c : text) {
    if (c < 0x20 || c > 0x7e) return false;
  }
  return true;
}

std::string QuotedByte(char c) { return fmt::format("={:02X}", static_cast<unsigned char>(c)); }

// Whether `c`, the last of its line where `ends_line`, stands for itself.
bool StandsForItself(char c, bool ends_line) {
  if (c == ' ' || c == '\t') return !ends_line;
  return c > 0x20 && c < 0x7f && c != '=';
}

}  // namespace

std::string EncodeHeaderText(std::string_view text) {
  const std::string line = CutText(OneLine(text), kMaxHeaderText);
  if (IsPlain(line)) return line;
  std::string encoded;
  std::string_view rest = line;
  while (!rest.empty()) {
    const std::string word = CutText(rest, kEncodedWordBytes);
    rest.remove_prefix(word.size());
    if (!encoded.empty()) encoded += "\r\n ";
    encoded += fmt::format("=?UTF-8?B?{}?=", EncodeBase64(word));
  }
  return encoded;
}

std::string EncodeQuotedPrintable(std::string_view text) {
  std::string encoded;
  std::size_t column = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '\n' || text.substr(at, 2) == "\r\n") {
      at += text[at] == '\r' ? 1 : 0;
      encoded += "\r\n";
      column = 0;
      continue;
    }
    const bool ends_line = at + 1 == text.size() || text[at + 1] == '\n' || text[at + 1] == '\r';
    const std::string piece =
        StandsForItself(text[at], ends_line) ? std::string(1, text[at]) : QuotedByte(text[at]);
    if (column + piece.size() > kQuotedPrintableLine) {
      encoded += "=\r\n";
      column = 0;
    }
    encoded += piece;
    column += piece.size();
  }
  return encoded;
}

std::string FormatMailDate(std::int64_t utc_ms) {
  static constexpr std::array<std::string_view, 7> kDays{"Sun", "Mon", "Tue", "Wed",
                                                         "Thu", "Fri", "Sat"};
  static constexpr std::array<std::string_view, 12> kMonths{
      "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const time_t seconds = static_cast<time_t>(utc_ms / 1000);
  tm parts{};
  gmtime_r(&seconds, &parts);
  return fmt::format("{}, {} {} {:04} {:02}:{:02}:{:02} +0000",
                     kDays[static_cast<std::size_t>(parts.tm_wday)], parts.tm_mday,
                     kMonths[static_cast<std::size_t>(parts.tm_mon)], parts.tm_year + 1900,
                     parts.tm_hour, parts.tm_min, parts.tm_sec);
}

}  // namespace atalaya::alertd
