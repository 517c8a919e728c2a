#include "alertd/api/json_writer.h"

#include <charconv>
#include <cmath>

#include "telemetry/utf8.h"

namespace atalaya::alertd {
namespace {

// Outside of these Prometheus takes the scientific form.
constexpr double kSmallestPlain = 1e-6;
constexpr double kLargestPlain = 1e21;

// A plain double of 1e21 takes 22 characters, of 1e-6 with 17 digits 24.
constexpr std::size_t kNumberBuffer = 64;

void AppendSampleValue(std::string& out, double value) {
  if (std::isnan(value)) {
    out += "NaN";
    return;
  }
  if (std::isinf(value)) {
    out += value > 0 ? "+Inf" : "-Inf";
    return;
  }
  const double size = std::abs(value);
  const bool plain = size == 0 || (size >= kSmallestPlain && size < kLargestPlain);
  char buffer[kNumberBuffer];
  const auto end = std::to_chars(buffer, buffer + kNumberBuffer, value,
                                 plain ? std::chars_format::fixed : std::chars_format::scientific)
                       .ptr;
  std::string_view text(buffer, static_cast<std::size_t>(end - buffer));
  // "1e-07" is written as "1e-7".
  const std::size_t padded = plain ? std::string_view::npos : text.find("e-0");
  if (padded == std::string_view::npos) {
    out += text;
  } else {
    out += text.substr(0, padded + 2);
    out += text.substr(padded + 3);
  }
}

std::string ReplaceInvalid(std::string_view text) {
  std::string valid;
  while (!text.empty()) {
    const std::size_t good = telemetry::ValidUtf8Prefix(text);
    valid += text.substr(0, good);
    text.remove_prefix(good);
    if (text.empty()) break;
    valid += "\xef\xbf\xbd";
    text.remove_prefix(1);
  }
  return valid;
}

}  // namespace

std::string FormatSampleValue(double value) {
  std::string text;
  AppendSampleValue(text, value);
  return text;
}

void JsonWriter::Separate() {
  if (comma_) text_ += ',';
  comma_ = true;
}

JsonWriter& JsonWriter::Open(char bracket) {
  Separate();
  text_ += bracket;
  comma_ = false;
  return *this;
}

JsonWriter& JsonWriter::Close(char bracket) {
  text_ += bracket;
  comma_ = true;
  return *this;
}

JsonWriter& JsonWriter::Raw(std::string_view text) {
  Separate();
  text_ += text;
  return *this;
}

JsonWriter& JsonWriter::Key(std::string_view key) {
  Separate();
  AppendQuoted(key);
  text_ += ':';
  comma_ = false;
  return *this;
}

JsonWriter& JsonWriter::String(std::string_view text) {
  Separate();
  AppendQuoted(text);
  return *this;
}

JsonWriter& JsonWriter::Number(double value) {
  return std::isfinite(value) ? Raw(FormatSampleValue(value)) : Null();
}

JsonWriter& JsonWriter::Time(std::int64_t utc_ms) {
  Separate();
  if (utc_ms < 0) text_ += '-';
  const auto size =
      utc_ms < 0 ? 0 - static_cast<std::uint64_t>(utc_ms) : static_cast<std::uint64_t>(utc_ms);
  char buffer[kNumberBuffer];
  text_.append(buffer, std::to_chars(buffer, buffer + kNumberBuffer, size / 1000).ptr);
  const auto millis = static_cast<unsigned>(size % 1000);
  if (millis == 0) return *this;
  text_ += '.';
  text_ += static_cast<char>('0' + millis / 100);
  text_ += static_cast<char>('0' + millis / 10 % 10);
  text_ += static_cast<char>('0' + millis % 10);
  return *this;
}

JsonWriter& JsonWriter::SampleValue(double value) {
  Separate();
  text_ += '"';
  AppendSampleValue(text_, value);
  text_ += '"';
  return *this;
}

JsonWriter& JsonWriter::Labels(const telemetry::Labels& labels) {
  BeginObject();
  for (const auto& [name, value] : labels) Field(name, value);
  return EndObject();
}

void JsonWriter::AppendQuoted(std::string_view text) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string valid;
  if (!telemetry::IsUtf8(text)) {
    valid = ReplaceInvalid(text);
    text = valid;
  }
  text_ += '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      text_ += '\\';
      text_ += c;
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      text_ += "\\u00";
      text_ += kHex[static_cast<unsigned char>(c) >> 4];
      text_ += kHex[static_cast<unsigned char>(c) & 15];
    } else {
      text_ += c;
    }
  }
  text_ += '"';
}

}  // namespace atalaya::alertd
