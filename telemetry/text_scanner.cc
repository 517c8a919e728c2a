#include "telemetry/text_scanner.h"

#include <charconv>
#include <cmath>
#include <functional>
#include <limits>

#include "telemetry/utf8.h"

namespace atalaya::telemetry {
namespace {

constexpr std::size_t kShownBytes = 60;                  // Of a bad word, in a message.
constexpr std::size_t kHashFactor = 0x9e3779b97f4a7c15;  // Odd, so that the order of lines counts.

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

// Milliseconds in the text format, seconds in OpenMetrics.
bool ParseTime(std::string_view word, bool open_metrics, std::int64_t& time_ms) {
  if (!open_metrics) {
    const auto parsed = std::from_chars(word.data(), word.data() + word.size(), time_ms);
    return parsed.ec == std::errc() && parsed.ptr == word.data() + word.size();
  }
  constexpr double kMaxSeconds = 9.0e15;  // Far from overflow as milliseconds in int64.
  double seconds = 0;
  if (!ParseValue(word, seconds) || !(std::abs(seconds) < kMaxSeconds)) return false;
  time_ms = static_cast<std::int64_t>(std::llround(seconds * 1000));
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

// Up to and with the closing brace; the opening one is taken already. Messages without a line.
Status ReadLabels(Cursor& cursor, std::size_t limit, std::vector<Labels::Pair>& pairs) {
  const auto bad = [](std::string what) { return Fail(ErrorCode::kInvalid, "{}", what); };
  const std::size_t first = pairs.size();
  while (true) {
    cursor.SkipBlanks();
    if (cursor.Eat("}")) return {};
    const std::string_view name = cursor.Name(false);
    if (name.empty())
      return bad(fmt::format("expected a label name, got \"{}\"", Shown(cursor.rest())));
    cursor.SkipBlanks();
    if (!cursor.Eat("=")) return bad(fmt::format("expected '=' after the label {}", Shown(name)));
    cursor.SkipBlanks();
    std::string value;
    if (!cursor.Eat("\"") || !cursor.Quoted(value))
      return bad(fmt::format("the value of the label {} is not in quotes", Shown(name)));
    if (!IsUtf8(value)) return bad(fmt::format("the label {} is not UTF-8", Shown(name)));
    for (const Labels::Pair& pair : pairs) {
      if (pair.first == name) return bad(fmt::format("the label {} stands twice", Shown(name)));
    }
    if (pairs.size() - first >= limit) return Fail(ErrorCode::kLimit, "more than {} labels", limit);
    pairs.emplace_back(name, std::move(value));
    cursor.SkipBlanks();
    if (cursor.Eat(",")) continue;
    if (!cursor.Eat("}")) return bad("expected ',' or '}' after a label");
    return {};
  }
}

// What stands behind "# " of an exemplar. Messages without a line.
Status CheckExemplar(Cursor& cursor, std::size_t label_limit) {
  std::vector<Labels::Pair> pairs;
  if (Status read = ReadLabels(cursor, label_limit, pairs); !read) return read;
  cursor.SkipBlanks();
  double number = 0;
  if (!ParseValue(cursor.Word(), number))
    return Fail(ErrorCode::kInvalid, "the exemplar's value is not a number");
  cursor.SkipBlanks();
  if (!cursor.empty() && !ParseValue(cursor.Word(), number))
    return Fail(ErrorCode::kInvalid, "the exemplar's timestamp is not a number");
  cursor.SkipBlanks();
  if (!cursor.empty()) return Fail(ErrorCode::kInvalid, "unexpected \"{}\"", Shown(cursor.rest()));
  return {};
}

// Whether `line` begins with the series `expected`, and not with a longer one.
bool BeginsWithSeries(std::string_view line, std::string_view expected) {
  if (expected.empty() || !line.starts_with(expected)) return false;
  if (expected.back() == '}') return true;
  std::size_t at = expected.size();
  if (at == line.size() || !IsBlank(line[at])) return false;
  while (at < line.size() && IsBlank(line[at])) ++at;
  return at == line.size() || line[at] != '{';
}

}  // namespace

TextScanner::TextScanner(std::string_view page, TextFormat format, TextLimits limits,
                         std::vector<FamilyMetadata>* families)
    : page_(page),
      open_metrics_(format == TextFormat::kOpenMetrics),
      limits_(limits),
      families_(families) {}

bool TextScanner::Next(std::string_view expected, ScannedSample& sample) {
  while (status_ && !page_.empty()) {
    ++line_number_;
    const std::size_t end = page_.find('\n');
    const std::string_view line = page_.substr(0, end);
    page_ = end == std::string_view::npos ? std::string_view() : page_.substr(end + 1);
    if (line.size() > limits_.line_bytes) {
      status_ = Fail(ErrorCode::kLimit, "line {}: longer than {} bytes", line_number_,
                     limits_.line_bytes);
    } else if (ReadLine(line, expected, sample)) {
      return true;
    }
    if (ended_ && !page_.empty()) status_ = Bad("something follows # EOF");
  }
  if (status_ && open_metrics_ && !ended_) status_ = Bad("the page does not end in # EOF");
  return false;
}

Result<std::vector<Labels::Pair>> TextScanner::ReadSeries(std::string_view series) const {
  Cursor cursor(series);
  const std::string_view name = cursor.Name(true);
  if (name.empty()) return Bad(fmt::format("\"{}\" is not a metric name", Shown(series)));
  std::vector<Labels::Pair> pairs;
  pairs.emplace_back(kMetricName, name);
  cursor.SkipBlanks();
  if (cursor.Eat("{")) {
    if (Status read = ReadLabels(cursor, limits_.labels, pairs); !read)
      return Fail(read.error().code, "line {}: {}", line_number_, read.error().message);
  }
  return pairs;
}

tl::unexpected<Error> TextScanner::Bad(std::string_view what) const {
  return Fail(ErrorCode::kInvalid, "line {}: {}", line_number_, what);
}

// True where the line was a sample; what is wrong goes into status_.
bool TextScanner::ReadLine(std::string_view line, std::string_view expected,
                           ScannedSample& sample) {
  if (!open_metrics_ && line.ends_with('\r')) line.remove_suffix(1);
  while (!line.empty() && IsBlank(line.front())) line.remove_prefix(1);
  if (line.empty()) {
    if (open_metrics_) status_ = Bad("OpenMetrics has no blank lines");
    return false;
  }
  if (line.front() == '#') {
    status_ = ReadComment(line);
    return false;
  }
  status_ = ReadSample(line, expected, sample);
  return status_.has_value();
}

Status TextScanner::ReadComment(std::string_view line) {
  if (open_metrics_ && line == "# EOF") {
    ended_ = true;
    return {};
  }
  Cursor cursor(line);
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
  if (name.empty() || (!cursor.empty() && !IsBlank(cursor.rest().front())))
    return Bad(fmt::format("\"{}\" is not a metric name", Shown(cursor.rest())));
  cursor.SkipBlanks();
  if (!IsUtf8(cursor.rest())) return Bad("not UTF-8");
  families_hash_ = families_hash_ * kHashFactor + std::hash<std::string_view>()(line);
  return SetFamily(name, keyword, cursor.rest());
}

Status TextScanner::SetFamily(std::string_view name, std::string_view keyword,
                              std::string_view text) {
  MetricType type = MetricType::kUntyped;
  if (keyword == "TYPE") {
    bool known = false;
    const std::string_view word = Cursor(text).Word();
    type = TypeOf(word, open_metrics_ ? TextFormat::kOpenMetrics : TextFormat::kPrometheus, known);
    if (!known) return Bad(fmt::format("\"{}\" is not a metric type", Shown(word)));
  }
  if (families_ == nullptr) return {};
  const auto [it, fresh] = family_index_.try_emplace(std::string(name), families_->size());
  if (fresh) families_->push_back({.name = std::string(name), .help = "", .unit = ""});
  FamilyMetadata& family = (*families_)[it->second];
  if (keyword == "TYPE") family.type = type;
  if (keyword == "HELP") family.help = UnescapeHelp(text);
  if (keyword == "UNIT") family.unit = Cursor(text).Word();
  return {};
}

// Up to the first '}' outside of quotes, or the name alone; "" where either does not end or begin.
std::string_view TextScanner::SeriesOf(std::string_view line) const {
  Cursor cursor(line);
  const std::string_view name = cursor.Name(true);
  cursor.SkipBlanks();
  if (!cursor.rest().starts_with('{')) return name;
  bool quoted = false;
  for (std::size_t i = line.size() - cursor.rest().size(); i < line.size(); ++i) {
    if (line[i] == '"') quoted = !quoted;
    if (quoted && line[i] == '\\') ++i;
    if (!quoted && line[i] == '}') return line.substr(0, i + 1);
  }
  return {};
}

Status TextScanner::ReadSample(std::string_view line, std::string_view expected,
                               ScannedSample& sample) {
  sample.series =
      BeginsWithSeries(line, expected) ? line.substr(0, expected.size()) : SeriesOf(line);
  if (sample.series.empty()) {
    const auto read = ReadSeries(line);
    return read ? Bad("the labels do not end") : Forward(read.error());
  }
  Cursor cursor(line.substr(sample.series.size()));
  cursor.SkipBlanks();
  const std::string_view value = cursor.Word();
  if (!ParseValue(value, sample.value))
    return Bad(fmt::format("\"{}\" is not a number", Shown(value)));
  sample.time_ms.reset();
  cursor.SkipBlanks();
  if (!cursor.empty() && !cursor.rest().starts_with('#')) {
    const std::string_view word = cursor.Word();
    std::int64_t time_ms = 0;
    if (!ParseTime(word, open_metrics_, time_ms))
      return Bad(fmt::format("\"{}\" is not a timestamp", Shown(word)));
    sample.time_ms = time_ms;
    cursor.SkipBlanks();
  }
  if (open_metrics_ && cursor.Eat("# {")) {
    const Status read = CheckExemplar(cursor, limits_.labels);
    if (!read) return Fail(read.error().code, "line {}: {}", line_number_, read.error().message);
  }
  if (!cursor.empty()) return Bad(fmt::format("unexpected \"{}\"", Shown(cursor.rest())));
  return {};
}

}  // namespace atalaya::telemetry
