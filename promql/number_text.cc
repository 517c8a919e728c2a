#include "promql/number_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>

#include "base/duration.h"
#include "telemetry/utf8.h"

namespace atalaya::promql {
namespace {

struct Digits {
  bool negative = false;
  std::string digits;  // Without a point; "0" for zero.
  int exponent = 0;    // The value is d.ddd * 10^exponent.
};

Digits ShortestDigits(double value) {
  Digits result;
  result.negative = std::signbit(value);
  std::array<char, 40> buffer{};
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), std::fabs(value),
                                 std::chars_format::scientific)
                       .ptr;
  const std::string_view text(buffer.data(), static_cast<std::size_t>(end - buffer.data()));
  const std::size_t e = text.find('e');
  for (const char c : text.substr(0, e)) {
    if (c != '.') result.digits += c;
  }
  const char* exponent = text.data() + e + 1;
  if (*exponent == '+') ++exponent;
  std::from_chars(exponent, end, result.exponent);
  return result;
}

std::string NotFinite(double value) {
  if (std::isnan(value)) return "NaN";
  return value > 0 ? "+Inf" : "-Inf";
}

std::string Fixed(const Digits& number) {
  const int count = static_cast<int>(number.digits.size());
  std::string text(number.negative ? "-" : "");
  if (number.exponent < 0) {
    text += "0.";
    text.append(static_cast<std::size_t>(-number.exponent - 1), '0');
    text += number.digits;
  } else if (number.exponent + 1 >= count) {
    text += number.digits;
    text.append(static_cast<std::size_t>(number.exponent + 1 - count), '0');
  } else {
    const auto whole = static_cast<std::size_t>(number.exponent + 1);
    text += number.digits.substr(0, whole) + "." + number.digits.substr(whole);
  }
  return text;
}

std::string Scientific(const Digits& number) {
  std::string text(number.negative ? "-" : "");
  text += number.digits[0];
  if (number.digits.size() > 1) text.append(".").append(number.digits, 1);
  return text + fmt::format("e{}{:02}", number.exponent < 0 ? '-' : '+', std::abs(number.exponent));
}

std::string General(double value, int exponent_from) {
  if (!std::isfinite(value)) return NotFinite(value);
  const Digits number = ShortestDigits(value);
  if (number.exponent < -4 || number.exponent >= exponent_from) return Scientific(number);
  return Fixed(number);
}

// The digits without their underscores; empty where one does not stand between two digits.
std::optional<std::string> WithoutUnderscores(std::string_view text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '_') {
      plain += text[i];
      continue;
    }
    const bool between = i > 0 && i + 1 < text.size() && std::isxdigit(text[i + 1]) != 0 &&
                         (std::isxdigit(text[i - 1]) != 0 || text[i - 1] == 'x');
    if (!between) return std::nullopt;
  }
  return plain;
}

// A whole number: decimal, octal with a leading 0, hexadecimal with 0x; underscores between digits.
std::optional<double> ParseWhole(std::string_view text) {
  std::optional<std::string> plain = WithoutUnderscores(text);
  if (!plain) return std::nullopt;
  std::string_view digits = *plain;
  int base = 10;
  if (digits.starts_with("0x")) {
    base = 16;
    digits.remove_prefix(2);
  } else if (digits.size() > 1 && digits[0] == '0') {
    base = 8;
    digits.remove_prefix(1);
  }
  std::int64_t value = 0;
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), value, base);
  if (error != std::errc() || end != digits.data() + digits.size() || value < 0) {
    return std::nullopt;
  }
  return static_cast<double>(value);
}

std::optional<double> ParseFloat(std::string_view text) {
  double value = 0;
  auto format = std::chars_format::general;
  if (text.starts_with("0x")) {
    if (text.find('p') == std::string_view::npos) return std::nullopt;
    format = std::chars_format::hex;
    text.remove_prefix(2);
  }
  if (text.empty() || !(std::isxdigit(text[0]) != 0 || text[0] == '.')) return std::nullopt;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, format);
  if (end != text.data() + text.size()) return std::nullopt;
  if (error == std::errc::result_out_of_range) {
    // from_chars does not say which way; a negative exponent is an underflow.
    const bool small = text.find("e-") != std::string_view::npos ||
                       text.find("p-") != std::string_view::npos || text.starts_with("0.") ||
                       text.starts_with(".");
    return small ? 0 : std::numeric_limits<double>::infinity();
  }
  if (error != std::errc()) return std::nullopt;
  return value;
}

}  // namespace

std::string FixedText(double value) {
  return std::isfinite(value) ? Fixed(ShortestDigits(value)) : NotFinite(value);
}

std::string LiteralText(double value) { return General(value, 21); }

std::string CompactText(double value) {
  if (!std::isfinite(value)) return NotFinite(value);
  const Digits number = ShortestDigits(value);
  return General(value, std::max(6, static_cast<int>(number.digits.size())));
}

std::string QuotedText(std::string_view text) {
  std::string quoted = "\"";
  std::size_t valid = telemetry::ValidUtf8Prefix(text);
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const std::size_t letter = std::string_view("\a\b\f\n\r\t\v").find(c);
    if (i == valid) {
      quoted += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
      valid = i + 1 + telemetry::ValidUtf8Prefix(text.substr(i + 1));
    } else if (letter != std::string_view::npos) {
      quoted += '\\';
      quoted += "abfnrtv"[letter];
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      quoted += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    } else {
      if (c == '"' || c == '\\') quoted += '\\';
      quoted += c;
    }
  }
  return quoted + '"';
}

std::optional<ParsedNumber> ParseNumberText(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  if (lower == "inf") return ParsedNumber{std::numeric_limits<double>::infinity(), false};
  if (lower == "nan") return ParsedNumber{std::numeric_limits<double>::quiet_NaN(), false};
  if (const auto whole = ParseWhole(lower)) return ParsedNumber{*whole, false};
  if (const auto number = ParseFloat(lower)) return ParsedNumber{*number, false};
  if (const auto duration = ParseDuration(text)) {
    return ParsedNumber{static_cast<double>(duration->count()) / 1000.0, true};
  }
  return std::nullopt;
}

}  // namespace atalaya::promql
