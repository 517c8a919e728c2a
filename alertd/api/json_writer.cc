#include "alertd/api/json_writer.h"

#include <cmath>
#include <utility>

#include "telemetry/utf8.h"

namespace atalaya::alertd {
namespace {

// Points are put together here before they are appended, many at a time.
constexpr std::size_t kPointsBuffer = 8192;

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
  char buffer[kTimeRoom];
  return Raw({buffer, PutTime(buffer, utc_ms)});
}

JsonWriter& JsonWriter::Points(std::span<const telemetry::Sample> samples) {
  return BeginArray().WritePoints(samples).EndArray();
}

JsonWriter& JsonWriter::WritePoints(std::span<const telemetry::Sample> samples) {
  char buffer[kPointsBuffer];
  char* end = buffer;
  point_text_.BeginSeries();
  for (const telemetry::Sample& sample : samples) {
    if (comma_) *end++ = ',';
    comma_ = true;
    end = point_text_.Put(end, sample);
    if (end + kPointRoom > buffer + kPointsBuffer) text_.append(buffer, std::exchange(end, buffer));
  }
  text_.append(buffer, end);
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
