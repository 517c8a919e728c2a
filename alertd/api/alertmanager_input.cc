#include "alertd/api/alertmanager_input.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>

namespace atalaya::alertd {
namespace {

using Json = nlohmann::json;
using telemetry::Matcher;

constexpr std::string_view kNoTimeYet = "0001-01-01T00:00:00";  // How Go writes no time.

Result<std::string> TextOf(const Json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end() || found->is_null()) return std::string();
  if (!found->is_string()) return Fail(ErrorCode::kInvalid, "{}: expected a string", key);
  return found->get<std::string>();
}

Result<std::int64_t> TimeOf(const Json& object, const char* key) {
  const Result<std::string> text = TextOf(object, key);
  if (!text) return Forward(text.error());
  const std::optional<std::int64_t> time_ms = ParseApiTime(*text);
  if (!time_ms)
    return Fail(ErrorCode::kInvalid, "{}: expected a time such as 2026-11-21T20:10:51Z", key);
  return *time_ms;
}

Result<bool> FlagOf(const Json& object, const char* key, bool otherwise) {
  const auto found = object.find(key);
  if (found == object.end() || found->is_null()) return otherwise;
  if (!found->is_boolean()) return Fail(ErrorCode::kInvalid, "{}: expected true or false", key);
  return found->get<bool>();
}

Result<Matcher> ReadMatcher(const Json& object) {
  if (!object.is_object()) return Fail(ErrorCode::kInvalid, "matchers: expected objects");
  const Result<std::string> name = TextOf(object, "name");
  if (!name) return Forward(name.error());
  const Result<std::string> value = TextOf(object, "value");
  if (!value) return Forward(value.error());
  const Result<bool> regex = FlagOf(object, "isRegex", false);
  if (!regex) return Forward(regex.error());
  const Result<bool> equal = FlagOf(object, "isEqual", true);
  if (!equal) return Forward(equal.error());
  const auto kind = *regex ? (*equal ? Matcher::Kind::kRegex : Matcher::Kind::kNotRegex)
                           : (*equal ? Matcher::Kind::kEqual : Matcher::Kind::kNotEqual);
  return Matcher{kind, *name, *value};
}

// The time at `key`; nothing where there is none.
Result<std::optional<std::int64_t>> OptionalTimeOf(const Json& object, const char* key) {
  const Result<std::string> text = TextOf(object, key);
  if (!text) return Forward(text.error());
  if (text->empty() || text->starts_with(kNoTimeYet)) return std::nullopt;
  const Result<std::int64_t> time_ms = TimeOf(object, key);
  if (!time_ms) return Forward(time_ms.error());
  return std::optional(*time_ms);
}

// An object whose values are texts.
Result<std::map<std::string, std::string>> TextsOf(const Json& object, const char* key) {
  std::map<std::string, std::string> texts;
  const auto found = object.find(key);
  if (found == object.end() || found->is_null()) return texts;
  if (!found->is_object()) return Fail(ErrorCode::kInvalid, "{}: expected an object", key);
  for (const auto& [name, text] : found->items()) {
    if (!text.is_string()) return Fail(ErrorCode::kInvalid, "{}: expected texts as values", key);
    texts.emplace(name, text.get<std::string>());
  }
  return texts;
}

Result<PostedAlert> ReadPostedAlert(const Json& object, std::int64_t now_ms,
                                    std::chrono::milliseconds resolve_timeout) {
  if (!object.is_object()) return Fail(ErrorCode::kInvalid, "body: expected alerts as objects");
  const auto labels = TextsOf(object, "labels");
  if (!labels) return Forward(labels.error());
  auto annotations = TextsOf(object, "annotations");
  if (!annotations) return Forward(annotations.error());
  const Result<std::optional<std::int64_t>> starts_ms = OptionalTimeOf(object, "startsAt");
  if (!starts_ms) return Forward(starts_ms.error());
  const Result<std::optional<std::int64_t>> ends_ms = OptionalTimeOf(object, "endsAt");
  if (!ends_ms) return Forward(ends_ms.error());
  Result<std::string> generator_url = TextOf(object, "generatorURL");
  if (!generator_url) return Forward(generator_url.error());
  PostedAlert alert;
  alert.labels =
      telemetry::Labels(std::vector<telemetry::Labels::Pair>(labels->begin(), labels->end()));
  alert.annotations = std::move(*annotations);
  alert.by_timeout = !*ends_ms;
  alert.starts_ms = starts_ms->value_or(std::min(now_ms, ends_ms->value_or(now_ms)));
  alert.ends_ms = ends_ms->value_or(now_ms + resolve_timeout.count());
  alert.generator_url = std::move(*generator_url);
  return alert;
}

}  // namespace

Result<Matchers> ReadFilters(const Params& params) {
  std::vector<Matcher> matchers;
  for (const std::string& text : params.All("filter")) {
    Result<Matcher> matcher = ParseMatcher(text);
    if (!matcher) return Fail(ErrorCode::kInvalid, "filter: {}", matcher.error().message);
    matchers.push_back(std::move(*matcher));
  }
  return Matchers(std::move(matchers));
}

Result<Silence> ReadSilence(std::string_view body) {
  const Json object = Json::parse(body, nullptr, false);
  if (!object.is_object()) return Fail(ErrorCode::kInvalid, "body: expected a silence as JSON");
  Silence silence;
  const std::pair<const char*, std::string*> texts[] = {
      {"id", &silence.id}, {"createdBy", &silence.created_by}, {"comment", &silence.comment}};
  for (const auto& [key, to] : texts) {
    Result<std::string> text = TextOf(object, key);
    if (!text) return Forward(text.error());
    *to = std::move(*text);
  }
  const std::pair<const char*, std::int64_t*> times[] = {{"startsAt", &silence.starts_ms},
                                                         {"endsAt", &silence.ends_ms}};
  for (const auto& [key, to] : times) {
    const Result<std::int64_t> time_ms = TimeOf(object, key);
    if (!time_ms) return Forward(time_ms.error());
    *to = *time_ms;
  }
  const auto matchers = object.find("matchers");
  if (matchers == object.end() || !matchers->is_array())
    return Fail(ErrorCode::kInvalid, "matchers: expected a list");
  for (const Json& each : *matchers) {
    Result<Matcher> matcher = ReadMatcher(each);
    if (!matcher) return Forward(matcher.error());
    silence.matchers.push_back(std::move(*matcher));
  }
  return silence;
}

Result<std::vector<PostedAlert>> ReadPostedAlerts(std::string_view body, std::int64_t now_ms,
                                                  std::chrono::milliseconds resolve_timeout) {
  const Json list = Json::parse(body, nullptr, false);
  if (!list.is_array()) return Fail(ErrorCode::kInvalid, "body: expected a list of alerts as JSON");
  std::vector<PostedAlert> alerts;
  for (const Json& object : list) {
    Result<PostedAlert> alert = ReadPostedAlert(object, now_ms, resolve_timeout);
    if (!alert) return Forward(alert.error());
    alerts.push_back(std::move(*alert));
  }
  return alerts;
}

}  // namespace atalaya::alertd
