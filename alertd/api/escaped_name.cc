#include "alertd/api/escaped_name.h"

#include <charconv>
#include <cstdint>

#include "telemetry/utf8.h"

namespace atalaya::alertd {
namespace {

constexpr std::string_view kMark = "U__";
constexpr std::uint32_t kLastCodePoint = 0x10ffff;

// What stands between two underscores; false where it is no code point.
bool AppendCharacter(std::string_view digits, std::string& out) {
  std::uint32_t code_point = 0;
  const char* const end = digits.data() + digits.size();
  const auto read = std::from_chars(digits.data(), end, code_point, 16);
  if (read.ec != std::errc() || read.ptr != end || code_point > kLastCodePoint) return false;
  telemetry::AppendUtf8(out, code_point);
  return true;
}

}  // namespace

std::string UnescapeName(std::string_view name) {
  if (!name.starts_with(kMark)) return std::string(name);
  std::string plain;
  std::string_view rest = name.substr(kMark.size());
  while (!rest.empty()) {
    if (rest.front() != '_') {
      plain += rest.front();
      rest.remove_prefix(1);
      continue;
    }
    const std::size_t close = rest.find('_', 1);
    if (close == std::string_view::npos) return std::string(name);
    if (close == 1) {
      plain += '_';
    } else if (!AppendCharacter(rest.substr(1, close - 1), plain)) {
      return std::string(name);
    }
    rest.remove_prefix(close + 1);
  }
  return telemetry::IsUtf8(plain) ? plain : std::string(name);
}

}  // namespace atalaya::alertd
