#include "alertd/api/json_writer.h"

#include <algorithm>
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

// Whole numbers below this are exact in a double, and quicker to write as such.
constexpr double kLargestWhole = 1e15;

char* Put(char* out, std::string_view text) { return std::copy(text.begin(), text.end(), out); }

// Both write at most kNumberBuffer bytes and return their end.
char* PutSampleValue(char* out, double value) {
  if (std::isnan(value)) return Put(out, "NaN");
  if (std::isinf(value)) return Put(out, value > 0 ? "+Inf" : "-Inf");
  const double size = std::abs(value);
  char* const limit = out + kNumberBuffer;
  if (size < kLargestWhole && size >= 1) {
    const auto whole = static_cast<std::int64_t>(value);
    if (static_cast<double>(whole) == value) return std::to_chars(out, limit, whole).ptr;
  }
  const bool plain = size == 0 || (size >= kSmallestPlain && size < kLargestPlain);
  char* const end = std::to_chars(out, limit, value,
                                  plain ? std::chars_format::fixed : std::chars_format::scientific)
                        .ptr;
  if (plain) return end;
  // "1e-07" is written as "1e-7".
  const std::string_view text(out, static_cast<std::size_t>(end - out));
  const std::size_t padded = text.find("e-0");
  return padded == std::string_view::npos ? end
                                          : std::copy(out + padded + 3, end, out + padded + 2);
}

char* PutTime(char* out, std::int64_t utc_ms) {
  if (utc_ms < 0) *out++ = '-';
  const auto size =
      utc_ms < 0 ? 0 - static_cast<std::uint64_t>(utc_ms) : static_cast<std::uint64_t>(utc_ms);
  out = std::to_chars(out, out + kNumberBuffer - 5, size / 1000).ptr;
  const auto millis = static_cast<unsigned>(size % 1000);
  if (millis == 0) return out;
  *out++ = '.';
  *out++ = static_cast<char>('0' + millis / 100);
  *out++ = static_cast<char>('0' + millis / 10 % 10);
  *out++ = static_cast<char>('0' + millis % 10);
  return out;
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
  char buffer[kNumberBuffer];
  return {buffer, PutSampleValue(buffer, value)};
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
  char buffer[kNumberBuffer];
  return Raw({buffer, PutTime(buffer, utc_ms)});
}

JsonWriter& JsonWriter::Point(const telemetry::Sample& sample) {
  char buffer[2 * kNumberBuffer + 8];
  char* end = PutTime(Put(buffer, "["), sample.time_ms);
  end = PutSampleValue(Put(end, ",\""), sample.value);
  return Raw({buffer, Put(end, "\"]")});
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
