#include "alertd/collect/telemetry_reading.h"

#include <charconv>
#include <chrono>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>

#include "mqtt/client_level.h"
#include "telemetry/utf8.h"

namespace atalaya::alertd {
namespace {

constexpr std::string_view kPrefix = "telemetry/";
constexpr double kMaxUnixSeconds = 253'402'300'800;  // The year 10000.

std::string MetricName(std::string_view name) {
  std::string metric = "telemetry_";
  for (const char c : name) {
    const bool fits = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    metric += fits ? c : '_';
  }
  return metric;
}

// Takes `count` digits off the front.
std::optional<int> TakeDigits(std::string_view& text, std::size_t count) {
  int value = 0;
  if (text.size() < count) return std::nullopt;
  const auto parsed = std::from_chars(text.data(), text.data() + count, value);
  if (parsed.ec != std::errc() || parsed.ptr != text.data() + count || value < 0)
    return std::nullopt;
  text.remove_prefix(count);
  return value;
}

bool TakeChar(std::string_view& text, std::string_view any_of) {
  if (text.empty() || any_of.find(text.front()) == std::string_view::npos) return false;
  text.remove_prefix(1);
  return true;
}

// "Z" or "+01:00" as milliseconds east of Greenwich.
std::optional<std::int64_t> TakeZone(std::string_view text) {
  if (text == "Z" || text == "z") return 0;
  const bool west = !text.empty() && text.front() == '-';
  if (!TakeChar(text, "+-")) return std::nullopt;
  const std::optional<int> hours = TakeDigits(text, 2);
  if (!hours || !TakeChar(text, ":")) return std::nullopt;
  const std::optional<int> minutes = TakeDigits(text, 2);
  if (!minutes || !text.empty() || *hours > 23 || *minutes > 59) return std::nullopt;
  return (west ? -1 : 1) * std::int64_t{*hours * 60 + *minutes} * 60'000;
}

// RFC 3339, section 5.6: "2026-11-21T00:36:06.5Z".
std::optional<std::int64_t> ParseRfc3339(std::string_view text) {
  const std::optional<int> year = TakeDigits(text, 4);
  if (!year || !TakeChar(text, "-")) return std::nullopt;
  const std::optional<int> month = TakeDigits(text, 2);
  if (!month || !TakeChar(text, "-")) return std::nullopt;
  const std::optional<int> day = TakeDigits(text, 2);
  if (!day || !TakeChar(text, "Tt ")) return std::nullopt;
  const std::optional<int> hour = TakeDigits(text, 2);
  if (!hour || !TakeChar(text, ":")) return std::nullopt;
  const std::optional<int> minute = TakeDigits(text, 2);
  if (!minute || !TakeChar(text, ":")) return std::nullopt;
  const std::optional<int> second = TakeDigits(text, 2);
  if (!second || *hour > 23 || *minute > 59 || *second > 60) return std::nullopt;
  std::int64_t millis = 0;
  if (TakeChar(text, ".")) {
    std::int64_t scale = 100;
    std::size_t digits = 0;
    for (; digits < text.size() && text[digits] >= '0' && text[digits] <= '9'; ++digits) {
      millis += (text[digits] - '0') * scale;
      scale /= 10;
    }
    if (digits == 0) return std::nullopt;
    text.remove_prefix(digits);
  }
  const std::optional<std::int64_t> zone_ms = TakeZone(text);
  const std::chrono::year_month_day date{std::chrono::year(*year),
                                         std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day))};
  if (!zone_ms || !date.ok()) return std::nullopt;
  const std::int64_t days = std::chrono::sys_days(date).time_since_epoch().count();
  const std::int64_t seconds = ((days * 24 + *hour) * 60 + *minute) * 60 + *second;
  return seconds * 1000 + millis - *zone_ms;
}

std::optional<std::int64_t> ReadTime(const nlohmann::json& time) {
  if (time.is_string()) return ParseRfc3339(time.get_ref<const std::string&>());
  if (!time.is_number()) return std::nullopt;
  const double seconds = time.get<double>();
  if (!(seconds >= 0 && seconds < kMaxUnixSeconds)) return std::nullopt;
  return static_cast<std::int64_t>(std::llround(seconds * 1000));
}

std::optional<double> PlainNumber(std::string_view text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.remove_suffix(1);
  double value = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || parsed.ec != std::errc() || parsed.ptr != text.data() + text.size() ||
      !std::isfinite(value))
    return std::nullopt;
  return value;
}

}  // namespace

std::string ClientOfTopic(std::string_view topic) {
  topic.remove_prefix(std::min(topic.size(), topic.find('/')));
  if (topic.empty()) return "";
  topic.remove_prefix(1);
  std::string client = mqtt::DecodeClientId(topic.substr(0, topic.find('/')));
  return telemetry::IsUtf8(client) ? client : "";
}

Result<TelemetryReading> ReadTelemetryPacket(std::string_view topic, std::string_view payload,
                                             std::int64_t now_ms) {
  TelemetryReading reading;
  reading.client = ClientOfTopic(topic);
  if (!topic.starts_with(kPrefix) || reading.client.empty())
    return Fail(ErrorCode::kInvalid, "topic \"{}\" is not telemetry/CLIENT/NAME", topic);
  if (payload.size() > kMaxTelemetryBytes)
    return Fail(ErrorCode::kLimit, "{}: {} bytes; at most {} are read", topic, payload.size(),
                kMaxTelemetryBytes);
  topic.remove_prefix(kPrefix.size());
  const std::string_view level = topic.substr(0, topic.find('/'));
  const std::string name(topic.substr(std::min(topic.size(), level.size() + 1)));
  const auto add = [&](std::string_view metric, double value, std::int64_t time_ms) {
    reading.values.push_back({MetricName(metric), {time_ms, value}});
  };
  if (const std::optional<double> number = PlainNumber(payload); number && !name.empty()) {
    add(name, *number, now_ms);
    return reading;
  }
  const nlohmann::json object = nlohmann::json::parse(payload, nullptr, false);
  if (!object.is_object())
    return Fail(ErrorCode::kInvalid, "{}: neither a number nor a JSON object", topic);
  if (object.size() > kMaxTelemetryFields)
    return Fail(ErrorCode::kLimit, "{}: {} fields; at most {} are read", topic, object.size(),
                kMaxTelemetryFields);
  std::int64_t time_ms = now_ms;
  if (const auto time = object.find("time"); time != object.end()) {
    const std::optional<std::int64_t> read = ReadTime(*time);
    if (!read)
      return Fail(ErrorCode::kInvalid, "{}: \"time\" is neither RFC 3339 nor Unix seconds", topic);
    time_ms = *read;
    reading.timed = true;
  }
  for (const auto& [field, value] : object.items()) {
    if (field == "time" || value.is_string() || value.is_null()) continue;
    if (!value.is_number() && !value.is_boolean())
      return Fail(ErrorCode::kInvalid, "{}: \"{}\" is nested; the object must be flat", topic,
                  field);
    const double number = value.is_boolean() ? (value.get<bool>() ? 1 : 0) : value.get<double>();
    const std::string metric = name.empty()       ? field
                               : field == "value" ? name
                                                  : fmt::format("{}_{}", name, field);
    add(metric, number, time_ms);
  }
  return reading;
}

}  // namespace atalaya::alertd
