#pragma once

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>

#include "telemetry/metric_type.h"

namespace atalaya::telemetry {

// Labels as they stand between the braces, `device="sda",mode="idle"`: rendered once, used for each
// sample. Values are escaped, and bytes that are no UTF-8 become U+FFFD.
class LabelText {
 public:
  LabelText() = default;
  LabelText(std::string_view name, std::string_view value) { Add(name, value); }
  LabelText& Add(std::string_view name, std::string_view value);
  void Clear() { text_.clear(); }
  std::string_view text() const { return text_; }

 private:
  std::string text_;
};

// Writes families and samples into one buffer that is kept from page to page. Doubles are written
// as the shortest text that reads back the same, and as NaN, +Inf, -Inf.
//
//   writer.Family("node_load1", MetricType::kGauge, "Load average over one minute.");
//   writer.Sample("", 0.25);
//
// The caller writes each family once, with all its samples together. A family that gets no sample
// leaves no trace. A counter's name ends in "_total": OpenMetrics leaves that out in its TYPE and
// HELP, and a counter named otherwise is `unknown` there.
// Threads: one at a time.
class TextWriter {
 public:
  explicit TextWriter(TextFormat format) : format_(format) {}

  void Family(std::string_view name, MetricType type, std::string_view help);

  // `labels` as LabelText has them; "" for none.
  void Sample(std::string_view labels, double value) { SuffixedSample("", labels, value); }
  void Sample(std::string_view labels, std::integral auto value) {
    BeginSample("", labels);
    AppendInteger(value);
    text_ += '\n';
  }
  // `suffix` as "_bucket", "_sum" and "_count" of a histogram.
  void SuffixedSample(std::string_view suffix, std::string_view labels, double value);

  void Append(std::string_view rendered) { text_ += rendered; }  // Whole families of this format.
  void EndPage();                                                // OpenMetrics's "# EOF".
  // Begins anew, in `format`; keeps the memory.
  void StartPage(TextFormat format) {
    format_ = format;
    text_.clear();
    head_written_ = true;
  }

  TextFormat format() const { return format_; }
  const std::string& text() const { return text_; }
  std::string Take() { return std::move(text_); }

 private:
  void BeginSample(std::string_view suffix, std::string_view labels);
  void WriteHead();
  void AppendInteger(std::int64_t value);
  void AppendInteger(std::uint64_t value);
  template <std::integral T>
  void AppendInteger(T value) {
    if constexpr (std::signed_integral<T>) {
      AppendInteger(static_cast<std::int64_t>(value));
    } else {
      AppendInteger(static_cast<std::uint64_t>(value));
    }
  }

  TextFormat format_;
  std::string text_;
  // Of the family that is being written.
  std::string name_;
  std::string help_;
  MetricType type_ = MetricType::kUntyped;
  bool head_written_ = true;
};

// Appends `value` as a page has it.
void AppendNumber(std::string& text, double value);

}  // namespace atalaya::telemetry
