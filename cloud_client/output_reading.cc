#include "cloud_client/output_reading.h"

#include <charconv>
#include <cmath>
#include <optional>

#include "base/file.h"

namespace atalaya::cloud_client {
namespace {

constexpr std::string_view kSpaces = " \t\r\n";
constexpr std::size_t kShownBytes = 40;

std::string_view Trim(std::string_view text) {
  text.remove_prefix(std::min(text.size(), text.find_first_not_of(kSpaces)));
  return text.substr(0, text.find_last_not_of(kSpaces) + 1);
}

// A number of JSON's or C's form that is finite, off the front.
std::optional<double> TakeNumber(std::string_view* text) {
  double value = 0;
  const auto parsed = std::from_chars(text->data(), text->data() + text->size(), value);
  if (parsed.ec != std::errc() || !std::isfinite(value)) return std::nullopt;
  text->remove_prefix(static_cast<std::size_t>(parsed.ptr - text->data()));
  return value;
}

void AppendUtf8(unsigned code, std::string* text) {
  if (code < 0x80) {
    *text += static_cast<char>(code);
  } else if (code < 0x800) {
    *text += static_cast<char>(0xC0 | code >> 6);
    *text += static_cast<char>(0x80 | (code & 0x3F));
  } else {
    *text += static_cast<char>(0xE0 | code >> 12);
    *text += static_cast<char>(0x80 | (code >> 6 & 0x3F));
    *text += static_cast<char>(0x80 | (code & 0x3F));
  }
}

// Reads a flat JSON object (RFC 8259) off the front of a text, field by field.
class FlatObject {
 public:
  explicit FlatObject(std::string_view text) : rest_(text) {}

  // Empty: good.
  std::string ReadInto(Reading* reading) {
    if (!Take('{')) return "is neither a number nor a JSON object";
    if (Take('}')) return rest_.empty() ? "" : "goes on after the object";
    do {
      std::optional<std::string> key = String();
      if (!key) return "has no \"name\" where one should be";
      if (!Take(':')) return "has no : after \"" + *key + "\"";
      if (!Value(*key, reading)) {
        return "\"" + *key + "\" is no number, string, true, false or null";
      }
    } while (Take(','));
    if (!Take('}')) return "has no } at its end";
    return rest_.empty() ? "" : "goes on after the object";
  }

 private:
  bool Take(char c) {
    rest_ = Trim(rest_);
    if (!rest_.starts_with(c)) return false;
    rest_ = Trim(rest_.substr(1));
    return true;
  }
  bool Word(std::string_view word) {
    if (!rest_.starts_with(word)) return false;
    rest_.remove_prefix(word.size());
    return true;
  }
  bool Value(const std::string& key, Reading* reading) {
    if (key == "time") reading->timed = true;
    if (rest_.starts_with('"')) {
      const std::optional<std::string> text = String();
      if (text) reading->fields.Add(key, std::string_view(*text));
      return text.has_value();
    }
    if (Word("null")) return true;
    std::optional<double> number;
    if (Word("true")) {
      number = 1;
    } else if (Word("false")) {
      number = 0;
    } else {
      number = TakeNumber(&rest_);
    }
    if (number) reading->fields.Add(key, *number);
    return number.has_value();
  }
  std::optional<std::string> String() {
    rest_ = Trim(rest_);
    if (!rest_.starts_with('"')) return std::nullopt;
    std::string text;
    for (std::size_t i = 1; i < rest_.size(); ++i) {
      if (rest_[i] == '"') {
        rest_.remove_prefix(i + 1);
        return text;
      }
      if (rest_[i] != '\\') {
        text += rest_[i];
      } else if (!Escape(&i, &text)) {
        return std::nullopt;
      }
    }
    return std::nullopt;
  }
  bool Escape(std::size_t* i, std::string* text) {
    constexpr std::string_view kLetters = "\"\\/bfnrt";
    constexpr std::string_view kMeant = "\"\\/\b\f\n\r\t";
    if (++*i >= rest_.size()) return false;
    if (const std::size_t at = kLetters.find(rest_[*i]); at != std::string_view::npos) {
      *text += kMeant[at];
      return true;
    }
    unsigned code = 0;
    const char* digits = rest_.data() + *i + 1;
    if (rest_[*i] != 'u' || rest_.size() - *i < 5) return false;
    const auto parsed = std::from_chars(digits, digits + 4, code, 16);
    if (parsed.ec != std::errc() || parsed.ptr != digits + 4) return false;
    if (code >= 0xD800 && code < 0xE000) return false;  // Half a character; write it as UTF-8.
    AppendUtf8(code, text);
    *i += 4;
    return true;
  }

  std::string_view rest_;
};

}  // namespace

Result<Reading> ReadOutput(const std::string& topic, std::string_view text) {
  Reading reading{.topic = topic, .fields = {}, .timed = false};
  const std::string_view trimmed = Trim(text);
  std::string_view rest = trimmed;
  if (const std::optional<double> number = TakeNumber(&rest); number && rest.empty()) {
    reading.fields.Add("value", *number);
    return reading;
  }
  const std::string fault = FlatObject(trimmed).ReadInto(&reading);
  if (fault.empty()) return reading;
  return Fail(ErrorCode::kInvalid, "\"{}{}\" {}", trimmed.substr(0, kShownBytes),
              trimmed.size() > kShownBytes ? "..." : "", fault);
}

Result<std::vector<Reading>> ReadOutputFile(const std::string& topic, const std::string& path) {
  const Result<std::string> text = ReadFile(path, kMaxOutputBytes);
  if (!text) return Forward(text.error());
  Result<Reading> reading = ReadOutput(topic, *text);
  if (!reading) return Fail(ErrorCode::kInvalid, "{}: {}", path, reading.error().message);
  std::vector<Reading> readings;
  readings.push_back(std::move(*reading));
  return readings;
}

}  // namespace atalaya::cloud_client
