#include "alertd/api/params.h"

#include <charconv>
#include <chrono>
#include <cmath>

#include "base/duration.h"
#include "promql/parser.h"

namespace atalaya::alertd {
namespace {

// Times are int64 milliseconds; this keeps sums of them far from overflow (292,000 years).
constexpr double kMaxSeconds = 9.2e12;
constexpr double kMaxDurationSeconds = 1e10;

std::optional<double> ParseNumber(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) {
    return std::nullopt;
  }
  return value;
}

// Takes `digits` digits and then, unless it is 0, `separator`.
std::optional<int> TakeDigits(std::string_view& text, std::size_t digits, char separator) {
  int value = 0;
  if (text.size() < digits) return std::nullopt;
  for (const char c : text.substr(0, digits)) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + (c - '0');
  }
  text.remove_prefix(digits);
  if (separator == 0) return value;
  if (text.empty() || (text[0] | 0x20) != (separator | 0x20)) return std::nullopt;
  text.remove_prefix(1);
  return value;
}

// "Z", "+02:00", "-0130" is not one.
std::optional<std::int64_t> ParseOffsetMs(std::string_view text) {
  if (text == "Z" || text == "z") return 0;
  if (text.empty() || (text[0] != '+' && text[0] != '-')) return std::nullopt;
  const int sign = text[0] == '-' ? -1 : 1;
  text.remove_prefix(1);
  const auto hours = TakeDigits(text, 2, ':');
  const auto minutes = hours ? TakeDigits(text, 2, 0) : std::nullopt;
  if (!minutes || !text.empty() || *hours > 23 || *minutes > 59) return std::nullopt;
  return sign * (*hours * 60 + *minutes) * std::int64_t{60'000};
}

double TakeFraction(std::string_view& text) {
  if (text.empty() || text[0] != '.') return 0;
  std::size_t size = 1;
  while (size < text.size() && text[size] >= '0' && text[size] <= '9') ++size;
  const auto fraction = ParseNumber(std::string("0").append(text.substr(0, size)));
  text.remove_prefix(size);
  return fraction.value_or(0);
}

std::optional<std::int64_t> ParseRfc3339(std::string_view text) {
  const auto year = TakeDigits(text, 4, '-');
  const auto month = year ? TakeDigits(text, 2, '-') : std::nullopt;
  const auto day = month ? TakeDigits(text, 2, 't') : std::nullopt;
  const auto hour = day ? TakeDigits(text, 2, ':') : std::nullopt;
  const auto minute = hour ? TakeDigits(text, 2, ':') : std::nullopt;
  const auto second = minute ? TakeDigits(text, 2, 0) : std::nullopt;
  if (!second || *hour > 23 || *minute > 59 || *second > 60) return std::nullopt;
  const std::chrono::year_month_day date(std::chrono::year(*year),
                                         std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day)));
  if (!date.ok()) return std::nullopt;
  const double fraction = TakeFraction(text);
  const auto offset_ms = ParseOffsetMs(text);
  if (!offset_ms) return std::nullopt;
  const std::int64_t days = std::chrono::sys_days(date).time_since_epoch().count();
  const std::int64_t seconds = days * 86'400 + *hour * 3600 + *minute * 60 + *second;
  return seconds * 1000 + std::llround(fraction * 1000) - *offset_ms;
}

}  // namespace

std::optional<std::int64_t> ParseApiTime(std::string_view text) {
  const auto seconds = ParseNumber(text);
  if (!seconds) return ParseRfc3339(text);
  if (std::abs(*seconds) > kMaxSeconds) return std::nullopt;
  return std::llround(*seconds * 1000);
}

Params::Params(const HttpRequest& request) : pairs_(ParseForm(request.query)) {
  if (request.method != "POST") return;
  for (auto& pair : ParseForm(request.body)) pairs_.push_back(std::move(pair));
}

std::string Params::Text(std::string_view name) const {
  for (const auto& [key, value] : pairs_) {
    if (key == name) return value;
  }
  return "";
}

std::vector<std::string> Params::All(std::string_view name) const {
  std::vector<std::string> values;
  for (const auto& [key, value] : pairs_) {
    if (key == name) values.push_back(value);
  }
  return values;
}

Result<std::int64_t> Params::Time(std::string_view name, std::int64_t default_ms) const {
  return Text(name).empty() ? default_ms : RequiredTime(name);
}

Result<std::int64_t> Params::RequiredTime(std::string_view name) const {
  const std::string text = Text(name);
  const auto time_ms = ParseApiTime(text);
  if (time_ms) return *time_ms;
  return Fail(ErrorCode::kInvalid,
              "invalid parameter \"{}\": \"{}\" is not a time (write 1435781451.781 or "
              "2015-07-01T20:10:51.781Z)",
              name, text);
}

Result<std::int64_t> Params::RequiredDuration(std::string_view name) const {
  const std::string text = Text(name);
  std::optional<std::int64_t> duration_ms;
  if (const auto seconds = ParseNumber(text)) {
    if (*seconds <= kMaxDurationSeconds) duration_ms = std::llround(*seconds * 1000);
  } else if (const auto duration = ParseDuration(text)) {
    duration_ms = duration->count();
  }
  if (duration_ms && *duration_ms > 0) return *duration_ms;
  return Fail(
      ErrorCode::kInvalid,
      "invalid parameter \"{}\": \"{}\" is not a duration above 0 (write 15, 0.5, 30s or 5m)", name,
      text);
}

Result<std::optional<std::int64_t>> Params::Duration(std::string_view name) const {
  if (Text(name).empty()) return std::nullopt;
  const Result<std::int64_t> duration_ms = RequiredDuration(name);
  if (!duration_ms) return Forward(duration_ms.error());
  return *duration_ms;
}

Result<std::optional<std::size_t>> Params::Count(std::string_view name) const {
  const std::string text = Text(name);
  if (text.empty()) return std::nullopt;
  std::size_t count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (error == std::errc() && end == text.data() + text.size()) return count;
  return Fail(ErrorCode::kInvalid, "invalid parameter \"{}\": \"{}\" is not a count", name, text);
}

Result<std::size_t> Params::Limit() const {
  const auto limit = Count("limit");
  if (!limit) return Forward(limit.error());
  return limit->value_or(0);
}

Result<std::vector<std::vector<telemetry::Matcher>>> Params::Selectors() const {
  std::vector<std::vector<telemetry::Matcher>> selectors;
  for (const std::string& text : All("match[]")) {
    const Result<promql::ExprPtr> expr = promql::Parse(text);
    if (!expr) {
      return Fail(ErrorCode::kInvalid, "invalid parameter \"match[]\": {}", expr.error().message);
    }
    if ((*expr)->kind != promql::Expr::Kind::kSelector) {
      return Fail(
          ErrorCode::kInvalid,
          "invalid parameter \"match[]\": \"{}\" is not a series selector, such as up{{job=\"x\"}}",
          text);
    }
    selectors.push_back(static_cast<const promql::Selector&>(**expr).matchers);
  }
  return selectors;
}

}  // namespace atalaya::alertd
