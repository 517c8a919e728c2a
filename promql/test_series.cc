#include "promql/test_series.h"

#include <charconv>
#include <optional>
#include <string>

#include "promql/lexer.h"
#include "promql/number_text.h"
#include "telemetry/sample.h"

namespace atalaya::promql {
namespace {

using telemetry::Labels;

bool IsBlank(char c) { return c == ' ' || c == '\t'; }

class SeriesReader {
 public:
  explicit SeriesReader(std::string_view line) : line_(line) {}

  Result<TestSeries> Run() {
    TestSeries series;
    std::vector<Labels::Pair> pairs;
    const std::size_t name_end = line_.find_first_of("{ \t");
    const std::string_view name = line_.substr(0, name_end);
    if (!name.empty()) pairs.emplace_back(telemetry::kMetricName, name);
    position_ = name.size();
    SkipBlanks();
    if (Peek() == '{' && Peek(1) != '{') {
      if (Status read = ReadLabels(&pairs); !read) return Forward(read.error());
    }
    series.labels = Labels(std::move(pairs));
    for (SkipBlanks(); position_ < line_.size() && Peek() != '#'; SkipBlanks()) {
      if (Status read = ReadItem(&series.items); !read) return Forward(read.error());
      if (series.items.size() > kMaxTestItems) {
        return Fail(ErrorCode::kLimit, "a series has more than {} values", kMaxTestItems);
      }
    }
    return series;
  }

 private:
  char Peek(std::size_t ahead = 0) const {
    return position_ + ahead < line_.size() ? line_[position_ + ahead] : '\0';
  }
  void SkipBlanks() {
    while (IsBlank(Peek())) ++position_;
  }

  // A label's name or value: quoted, or (a name) bare.
  Result<std::string> ReadWord() {
    const char c = Peek();
    if (c == '"' || c == '\'' || c == '`') return ReadStringLiteral(line_, &position_);
    const std::size_t end = line_.find_first_of("=,} \t", position_);
    if (end == std::string_view::npos || end == position_) {
      return Fail(ErrorCode::kInvalid, "a label's name is missing");
    }
    std::string word(line_.substr(position_, end - position_));
    position_ = end;
    return word;
  }

  Status ReadLabels(std::vector<Labels::Pair>* pairs) {
    ++position_;
    for (SkipBlanks(); Peek() != '}'; SkipBlanks()) {
      Result<std::string> name = ReadWord();
      if (!name) return Forward(name.error());
      SkipBlanks();
      if (Peek() == '=') {
        ++position_;
        SkipBlanks();
        Result<std::string> value = ReadWord();
        if (!value) return Forward(value.error());
        pairs->emplace_back(*name, *value);
      } else {
        pairs->emplace_back(telemetry::kMetricName, *name);
      }
      SkipBlanks();
      if (Peek() == ',') {
        ++position_;
      } else if (Peek() != '}') {
        return Fail(ErrorCode::kInvalid, "expected \",\" or \"}}\" in a series' labels");
      }
    }
    ++position_;
    return {};
  }

  // The number at the front of `text`, with its sign; `*length` is what it takes.
  static std::optional<double> LeadingNumber(std::string_view text, std::size_t* length) {
    std::size_t end = !text.empty() && (text[0] == '+' || text[0] == '-') ? 1 : 0;
    const std::size_t begin = end;
    while (end < text.size() && text[end] != 'x') {
      const bool sign = text[end] == '+' || text[end] == '-';
      if (sign && (end == begin || (text[end - 1] != 'e' && text[end - 1] != 'E'))) break;
      ++end;
    }
    const auto number = ParseNumberText(text.substr(begin, end - begin));
    if (!number || number->is_duration) return std::nullopt;
    *length = end;
    return text[0] == '-' ? -number->value : number->value;
  }

  static tl::unexpected<Error> BadItem(std::string_view text) {
    return Fail(ErrorCode::kInvalid, "\"{}\" is no value of a series (write 1, 1+2x5, _, stale)",
                text);
  }

  // `x5` at the end of an item; -1 where there is none, nothing where it is wrong.
  static std::optional<int> ReadTimes(std::string_view text) {
    if (text.empty()) return -1;
    int times = 0;
    const char* end = text.data() + text.size();
    if (text[0] != 'x' || text.size() < 2) return std::nullopt;
    const auto [stop, error] = std::from_chars(text.data() + 1, end, times);
    if (error != std::errc() || stop != end || times < 0 ||
        static_cast<std::size_t>(times) > kMaxTestItems) {
      return std::nullopt;
    }
    return times;
  }

  Status ReadItem(std::vector<TestSeries::Item>* items) {
    const std::string_view rest = line_.substr(position_);
    if (rest.starts_with("{{")) return ReadHistogram(items);
    std::size_t size = 0;
    while (size < rest.size() && !IsBlank(rest[size])) ++size;
    std::string_view text = rest.substr(0, size);
    const std::string_view whole = text;
    position_ += size;
    TestSeries::Item item;
    double step = 0;
    bool omitted = false;
    if (text[0] == '_') {
      omitted = true;
      item.kind = TestSeries::Kind::kOmitted;
      text.remove_prefix(1);
    } else if (text.starts_with("stale")) {
      item.value = telemetry::StaleMarker();
      text.remove_prefix(5);
    } else {
      std::size_t length = 0;
      const auto value = LeadingNumber(text, &length);
      if (!value) return BadItem(whole);
      item.value = *value;
      text.remove_prefix(length);
      if (!text.empty() && text[0] != 'x') {
        const auto delta = LeadingNumber(text, &length);
        if (!delta) return BadItem(whole);
        step = *delta;
        text.remove_prefix(length);
        if (text.empty()) return BadItem(whole);
      }
    }
    const auto times = ReadTimes(text);
    if (!times) return BadItem(whole);
    // A value repeats after itself; a gap is just that long.
    const int count = *times < 0 ? 1 : omitted ? *times : *times + 1;
    for (int i = 0; i < count; ++i) {
      items->push_back(item);
      if (step != 0) item.value += step;
    }
    return {};
  }

  Status ReadHistogram(std::vector<TestSeries::Item>* items) {
    std::optional<int> times = -1;
    while (true) {
      const std::size_t close = line_.find("}}", position_);
      if (close == std::string_view::npos) return BadItem(line_.substr(position_));
      position_ = close + 2;
      if ((Peek() == '+' || Peek() == '-') && Peek(1) == '{') {
        ++position_;
        continue;
      }
      std::size_t end = position_;
      while (end < line_.size() && !IsBlank(line_[end])) ++end;
      times = ReadTimes(line_.substr(position_, end - position_));
      if (!times) return BadItem(line_.substr(position_, end - position_));
      position_ = end;
      break;
    }
    items->insert(items->end(), static_cast<std::size_t>(*times < 0 ? 1 : *times + 1),
                  {TestSeries::Kind::kHistogram, 0});
    return {};
  }

  const std::string_view line_;
  std::size_t position_ = 0;
};

}  // namespace

Result<TestSeries> ParseTestSeries(std::string_view line) { return SeriesReader(line).Run(); }

}  // namespace atalaya::promql
