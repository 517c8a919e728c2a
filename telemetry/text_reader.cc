#include "telemetry/text_reader.h"

#include <charconv>
#include <cmath>
#include <limits>
#include <unordered_map>

#include "telemetry/utf8.h"

namespace atalaya::telemetry {
namespace {

constexpr std::size_t kShownBytes = 60;  // Of a bad word, in a message.

bool IsNameStart(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool IsNamePart(char c) { return IsNameStart(c) || (c >= '0' && c <= '9'); }
bool IsBlank(char c) { return c == ' ' || c == '\t'; }

std::string Shown(std::string_view word) {
  std::string text(word.substr(0, kShownBytes));
  for (char& c : text) {
    if (c < ' ' || c > '~') c = '?';
  }
  return word.size() > kShownBytes ? text + "..." : text;
}

// Go's strconv.ParseFloat without hexadecimal and underscores.
bool ParseValue(std::string_view word, double& value) {
  if (word.starts_with('+')) {
    word.remove_prefix(1);
    if (word.starts_with('+') || word.starts_with('-')) return false;
  }
  if (word.empty() || word.back() == ')') return false;  // from_chars would take "nan(x)".
  const auto parsed = std::from_chars(word.data(), word.data() + word.size(), value);
  if (parsed.ptr != word.data() + word.size() || parsed.ec != std::errc()) return false;
  // Every NaN that is read is the plain one: the stale marker is ours to set.
  if (std::isnan(value)) value = std::numeric_limits<double>::quiet_NaN();
  return true;
}

MetricType TypeOf(std::string_view word, TextFormat format, bool& known) {
  known = true;
  for (const MetricType type : {MetricType::kUntyped, MetricType::kCounter, MetricType::kGauge,
                                MetricType::kHistogram, MetricType::kSummary}) {
    if (word == MetricTypeName(type, format)) return type;
  }
  if (format == TextFormat::kOpenMetrics) {
    for (const MetricType type :
         {MetricType::kInfo, MetricType::kStateSet, MetricType::kGaugeHistogram}) {
      if (word == MetricTypeName(type, format)) return type;
    }
  }
  known = false;
  return MetricType::kUntyped;
}

// One line, read from left to right.
class Cursor {
 public:
  explicit Cursor(std::string_view rest) : rest_(rest) {}

  bool empty() const { return rest_.empty(); }
  std::string_view rest() const { return rest_; }
  void SkipBlanks() {
    while (!rest_.empty() && IsBlank(rest_.front())) rest_.remove_prefix(1);
  }
  bool Eat(std::string_view token) {
    if (!rest_.starts_with(token)) return false;
    rest_.remove_prefix(token.size());
    return true;
  }
  // A metric name (colons allowed) or a label name; "" where there is none.
  std::string_view Name(bool colons) {
    const auto fits = [&](char c, bool first) {
      return (first ? IsNameStart(c) : IsNamePart(c)) || (colons && c == ':');
    };
    std::size_t end = 0;
    while (end < rest_.size() && fits(rest_[end], end == 0)) ++end;
    return TakeBytes(end);
  }
  std::string_view Word() {
    std::size_t end = 0;
    while (end < rest_.size() && !IsBlank(rest_[end])) ++end;
    return TakeBytes(end);
  }
  // What stands between quotes, unescaped; the opening quote is taken already. False where it does
  // not end.
  bool Quoted(std::string& value) {
    for (std::size_t i = 0; i < rest_.size(); ++i) {
      char c = rest_[i];
      if (c == '"') {
        rest_.remove_prefix(i + 1);
        return true;
      }
      if (c == '\\' && i + 1 < rest_.size()) {
        c = rest_[++i];
        if (c == 'n') {
          c = '\n';
        } else if (c != '"' && c != '\\') {
          value += '\\';  // An unknown escape stands for itself.
        }
      }
      value += c;
    }
    return false;
  }

 private:
  std::string_view TakeBytes(std::size_t count) {
    const std::string_view taken = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return taken;
  }
  std::string_view rest_;
};

std::string UnescapeHelp(std::string_view text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '\\' && i + 1 < text.size() &&
        (text[i + 1] == 'n' || text[i + 1] == '\\' || text[i + 1] == '"')) {
      ++i;
      c = text[i] == 'n' ? '\n' : text[i];
    }
    plain += c;
  }
  return plain;
}

class PageReader {
 public:
  explicit PageReader(const TextReaderOptions& options)
      : options_(options), open_metrics_(options.format == TextFormat::kOpenMetrics) {}

  Result<TextPage> Read(std::string_view page) {
    while (!page.empty()) {
      ++line_number_;
      const std::size_t end = page.find('\n');
      std::string_view line = page.substr(0, end);
      page = end == std::string_view::npos ? std::string_view() : page.substr(end + 1);
      if (line.size() > options_.line_limit_bytes) {
        return Fail(ErrorCode::kLimit, "line {}: longer than {} bytes", line_number_,
                    options_.line_limit_bytes);
      }
      if (Status read = ReadLine(line); !read) return Forward(read.error());
      if (ended_ && !page.empty()) return Bad("something follows # EOF");
    }
    if (open_metrics_ && !ended_) return Bad("the page does not end in # EOF");
    return std::move(page_);
  }

 private:
  tl::unexpected<Error> Bad(std::string_view what) const {
    return Fail(ErrorCode::kInvalid, "line {}: {}", line_number_, what);
  }

  Status ReadLine(std::string_view line) {
    if (!open_metrics_ && line.ends_with('\r')) line.remove_suffix(1);
    Cursor cursor(line);
    cursor.SkipBlanks();
    if (cursor.empty()) {
      if (open_metrics_) return Bad("OpenMetrics has no blank lines");
      return {};
    }
    if (cursor.rest().front() == '#') return ReadComment(cursor);
    return ReadSample(cursor);
  }

  Status ReadComment(Cursor cursor) {
    if (open_metrics_ && cursor.rest() == "# EOF") {
      ended_ = true;
      return {};
    }
    cursor.Eat("#");
    cursor.SkipBlanks();
    const std::string_view keyword = cursor.Word();
    const bool known = keyword == "TYPE" || keyword == "HELP" || keyword == "UNIT";
    if (!known || (keyword == "UNIT" && !open_metrics_)) {
      if (open_metrics_) return Bad("OpenMetrics has no comments but TYPE, HELP, UNIT and EOF");
      return {};
    }
    cursor.SkipBlanks();
    const std::string_view name = cursor.Name(true);
    if (name.empty() || (!cursor.empty() && !IsBlank(cursor.rest().front()))) {
      return Bad(fmt::format("\"{}\" is not a metric name", Shown(cursor.rest())));
    }
    cursor.SkipBlanks();
    if (!IsUtf8(cursor.rest())) return Bad("not UTF-8");
    FamilyMetadata& family = FamilyNamed(name);
    if (keyword == "HELP") {
      family.help = UnescapeHelp(cursor.rest());
    } else if (keyword == "UNIT") {
      family.unit = cursor.Word();
    } else {
      bool known_type = false;
      const std::string_view word = cursor.Word();
      family.type = TypeOf(word, options_.format, known_type);
      if (!known_type) return Bad(fmt::format("\"{}\" is not a metric type", Shown(word)));
    }
    return {};
  }

  FamilyMetadata& FamilyNamed(std::string_view name) {
    const auto [it, fresh] = family_index_.try_emplace(std::string(name), page_.families.size());
    if (fresh) page_.families.push_back({.name = std::string(name), .help = "", .unit = ""});
    return page_.families[it->second];
  }

  Status ReadSample(Cursor cursor) {
    const std::string_view name = cursor.Name(true);
    if (name.empty()) return Bad(fmt::format("\"{}\" is not a metric name", Shown(cursor.rest())));
    std::vector<Labels::Pair> pairs;
    pairs.emplace_back(kMetricName, name);
    cursor.SkipBlanks();
    if (cursor.Eat("{")) {
      if (Status read = ReadLabels(cursor, pairs); !read) return read;
    }
    LabelledSample sample;
    sample.sample.time_ms = options_.time_ms;
    if (Status read = ReadValueAndTime(cursor, sample.sample); !read) return read;
    if (page_.samples.size() >= options_.sample_limit) {
      return Fail(ErrorCode::kLimit, "line {}: more than {} samples", line_number_,
                  options_.sample_limit);
    }
    sample.labels = Labels(std::move(pairs));
    page_.samples.push_back(std::move(sample));
    return {};
  }

  // Up to and with the closing brace; the opening one is taken already.
  Status ReadLabels(Cursor& cursor, std::vector<Labels::Pair>& pairs) {
    const std::size_t first = pairs.size();
    while (true) {
      cursor.SkipBlanks();
      if (cursor.Eat("}")) return {};
      const std::string_view name = cursor.Name(false);
      if (name.empty())
        return Bad(fmt::format("expected a label name, got \"{}\"", Shown(cursor.rest())));
      cursor.SkipBlanks();
      if (!cursor.Eat("=")) return Bad(fmt::format("expected '=' after the label {}", Shown(name)));
      cursor.SkipBlanks();
      std::string value;
      if (!cursor.Eat("\"") || !cursor.Quoted(value)) {
        return Bad(fmt::format("the value of the label {} is not in quotes", Shown(name)));
      }
      if (!IsUtf8(value)) return Bad(fmt::format("the label {} is not UTF-8", Shown(name)));
      for (const Labels::Pair& pair : pairs) {
        if (pair.first == name) return Bad(fmt::format("the label {} stands twice", Shown(name)));
      }
      if (pairs.size() - first >= options_.label_limit) {
        return Fail(ErrorCode::kLimit, "line {}: more than {} labels", line_number_,
                    options_.label_limit);
      }
      pairs.emplace_back(name, std::move(value));
      cursor.SkipBlanks();
      if (cursor.Eat(",")) continue;
      if (!cursor.Eat("}")) return Bad("expected ',' or '}' after a label");
      return {};
    }
  }

  Status ReadValueAndTime(Cursor& cursor, Sample& sample) {
    cursor.SkipBlanks();
    const std::string_view value = cursor.Word();
    if (!ParseValue(value, sample.value)) {
      return Bad(fmt::format("\"{}\" is not a number", Shown(value)));
    }
    cursor.SkipBlanks();
    if (!cursor.empty() && !cursor.rest().starts_with('#')) {
      std::int64_t time_ms = 0;
      const std::string_view word = cursor.Word();
      if (!ParseTime(word, time_ms)) {
        return Bad(fmt::format("\"{}\" is not a timestamp", Shown(word)));
      }
      if (options_.honor_timestamps) sample.time_ms = time_ms;
      cursor.SkipBlanks();
    }
    if (open_metrics_ && cursor.Eat("# {")) return ReadExemplar(cursor);
    if (!cursor.empty()) return Bad(fmt::format("unexpected \"{}\"", Shown(cursor.rest())));
    return {};
  }

  Status ReadExemplar(Cursor& cursor) {
    std::vector<Labels::Pair> pairs;
    if (Status read = ReadLabels(cursor, pairs); !read) return read;
    cursor.SkipBlanks();
    double number = 0;
    if (!ParseValue(cursor.Word(), number)) return Bad("the exemplar's value is not a number");
    cursor.SkipBlanks();
    if (!cursor.empty() && !ParseValue(cursor.Word(), number)) {
      return Bad("the exemplar's timestamp is not a number");
    }
    cursor.SkipBlanks();
    if (!cursor.empty()) return Bad(fmt::format("unexpected \"{}\"", Shown(cursor.rest())));
    return {};
  }

  // Milliseconds in the text format, seconds in OpenMetrics.
  bool ParseTime(std::string_view word, std::int64_t& time_ms) const {
    if (!open_metrics_) {
      const auto parsed = std::from_chars(word.data(), word.data() + word.size(), time_ms);
      return parsed.ec == std::errc() && parsed.ptr == word.data() + word.size();
    }
    constexpr double kMaxSeconds = 9.0e15;  // Far from overflow as milliseconds in int64.
    double seconds = 0;
    if (!ParseValue(word, seconds) || !(std::abs(seconds) < kMaxSeconds)) return false;
    time_ms = static_cast<std::int64_t>(std::llround(seconds * 1000));
    return true;
  }

  const TextReaderOptions& options_;
  const bool open_metrics_;
  std::size_t line_number_ = 0;
  bool ended_ = false;
  TextPage page_;
  std::unordered_map<std::string, std::size_t> family_index_;
};

}  // namespace

Result<TextPage> ReadTextPage(std::string_view page, const TextReaderOptions& options) {
  return PageReader(options).Read(page);
}

}  // namespace atalaya::telemetry
