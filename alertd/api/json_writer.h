#pragma once

#include <concepts>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "alertd/api/point_text.h"
#include "telemetry/labels.h"
#include "telemetry/sample.h"

namespace atalaya::alertd {

// Writes JSON into one string; commas come by themselves. Query results of a million samples go
// through here, so nothing is built twice.
class JsonWriter {
 public:
  JsonWriter& BeginObject() { return Open('{'); }
  JsonWriter& EndObject() { return Close('}'); }
  JsonWriter& BeginArray() { return Open('['); }
  JsonWriter& EndArray() { return Close(']'); }
  JsonWriter& Key(std::string_view key);

  // Bytes that are no UTF-8 become U+FFFD.
  JsonWriter& String(std::string_view text);
  JsonWriter& Bool(bool value) { return Raw(value ? "true" : "false"); }
  JsonWriter& Integer(std::integral auto value) { return Raw(std::to_string(value)); }
  JsonWriter& Number(double value);  // null where it is no number or infinite.
  JsonWriter& Null() { return Raw("null"); }

  JsonWriter& Time(std::int64_t utc_ms);  // 1435781451.781, as Prometheus.
  JsonWriter& Point(const telemetry::Sample& sample) { return WritePoints({&sample, 1}); }
  JsonWriter& Points(std::span<const telemetry::Sample> samples);  // An array, by rising time.
  JsonWriter& Labels(const telemetry::Labels& labels);             // An object.
  JsonWriter& Field(std::string_view key, std::string_view text) { return Key(key).String(text); }

  void Reserve(std::size_t bytes) { text_.reserve(text_.size() + bytes); }
  std::string Take() { return std::move(text_); }

 private:
  JsonWriter& Open(char bracket);
  JsonWriter& Close(char bracket);
  JsonWriter& Raw(std::string_view text);
  void Separate();
  void AppendQuoted(std::string_view text);
  JsonWriter& WritePoints(std::span<const telemetry::Sample> samples);

  std::string text_;
  PointText point_text_;
  bool comma_ = false;  // Something stands before in this object or array.
};

}  // namespace atalaya::alertd
