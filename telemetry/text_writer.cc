#include "telemetry/text_writer.h"

#include <charconv>
#include <cmath>

#include "telemetry/utf8.h"

namespace atalaya::telemetry {
namespace {

constexpr std::string_view kReplacement = "\xef\xbf\xbd";  // U+FFFD.
constexpr std::string_view kTotal = "_total";
constexpr std::size_t kNumberBytes = 32;  // A double needs 24, an integer 20.

void AppendEscaped(std::string& text, std::string_view value, bool quotes) {
  for (const char c : value) {
    if (c == '\\' || (quotes && c == '"')) text += '\\';
    if (c == '\n') {
      text += "\\n";
    } else {
      text += c;
    }
  }
}

void AppendUtf8(std::string& text, std::string_view value) {
  while (true) {
    const std::size_t valid = ValidUtf8Prefix(value);
    AppendEscaped(text, value.substr(0, valid), true);
    if (valid == value.size()) return;
    text += kReplacement;
    value.remove_prefix(valid + 1);
  }
}

}  // namespace

void AppendNumber(std::string& text, double value) {
  if (std::isnan(value)) {
    text += "NaN";
  } else if (std::isinf(value)) {
    text += value > 0 ? "+Inf" : "-Inf";
  } else {
    char digits[kNumberBytes];
    text.append(digits, std::to_chars(digits, digits + kNumberBytes, value).ptr);
  }
}

LabelText& LabelText::Add(std::string_view name, std::string_view value) {
  if (!text_.empty()) text_ += ',';
  text_ += name;
  text_ += "=\"";
  AppendUtf8(text_, value);
  text_ += '"';
  return *this;
}

void TextWriter::Family(std::string_view name, MetricType type, std::string_view help) {
  name_ = name;
  help_ = help;
  type_ = type;
  head_written_ = false;
}

void TextWriter::WriteHead() {
  head_written_ = true;
  const bool open_metrics = format_ == TextFormat::kOpenMetrics;
  std::string_view family = name_;
  MetricType type = type_;
  if (open_metrics && type == MetricType::kCounter) {
    if (family.ends_with(kTotal)) {
      family.remove_suffix(kTotal.size());
    } else {
      type = MetricType::kUntyped;
    }
  }
  text_.append("# HELP ").append(family).append(" ");
  AppendEscaped(text_, help_, open_metrics);
  text_.append("\n# TYPE ").append(family).append(" ");
  text_.append(MetricTypeName(type, format_)).append("\n");
}

void TextWriter::BeginSample(std::string_view suffix, std::string_view labels) {
  if (!head_written_) WriteHead();
  text_.append(name_).append(suffix);
  if (!labels.empty()) text_.append("{").append(labels).append("}");
  text_ += ' ';
}

void TextWriter::SuffixedSample(std::string_view suffix, std::string_view labels, double value) {
  BeginSample(suffix, labels);
  AppendNumber(text_, value);
  text_ += '\n';
}

void TextWriter::AppendInteger(std::int64_t value) {
  char digits[kNumberBytes];
  text_.append(digits, std::to_chars(digits, digits + kNumberBytes, value).ptr);
}

void TextWriter::AppendInteger(std::uint64_t value) {
  char digits[kNumberBytes];
  text_.append(digits, std::to_chars(digits, digits + kNumberBytes, value).ptr);
}

void TextWriter::EndPage() {
  if (format_ == TextFormat::kOpenMetrics) text_ += "# EOF\n";
}

}  // namespace atalaya::telemetry
