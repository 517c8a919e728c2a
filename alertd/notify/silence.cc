#include "alertd/notify/silence.h"

#include <nlohmann/json.hpp>

#include "alertd/notify/matcher.h"
#include "telemetry/utf8.h"

namespace atalaya::alertd {
namespace {

using nlohmann::json;
using telemetry::Matcher;

}  // namespace

SilenceState StateOf(const Silence& silence, std::int64_t now_ms) {
  if (now_ms < silence.starts_ms) return SilenceState::kPending;
  return now_ms < silence.ends_ms ? SilenceState::kActive : SilenceState::kExpired;
}

std::string_view SilenceStateName(SilenceState state) {
  switch (state) {
    case SilenceState::kPending:
      return "pending";
    case SilenceState::kActive:
      return "active";
    case SilenceState::kExpired:
      return "expired";
  }
  return "";
}

Status CheckSilence(const Silence& silence, std::int64_t now_ms) {
  if (silence.matchers.empty() || silence.matchers.size() > kMaxMatchers)
    return Fail(ErrorCode::kInvalid, "silence: expected 1 to {} matchers", kMaxMatchers);
  for (const Matcher& matcher : silence.matchers) {
    if (Status checked = CheckMatcher(matcher); !checked) return checked;
  }
  if (Matchers(silence.matchers).HoldForNothing())
    return Fail(ErrorCode::kInvalid,
                "silence: at least one matcher must not hold for an empty value");
  if (silence.ends_ms <= silence.starts_ms)
    return Fail(ErrorCode::kInvalid, "silence: it must end after it starts");
  if (silence.ends_ms <= now_ms)
    return Fail(ErrorCode::kInvalid, "silence: its end is in the past");
  for (const std::string* text : {&silence.created_by, &silence.comment}) {
    if (text->size() > kMaxSilenceTextBytes || !telemetry::IsUtf8(*text))
      return Fail(ErrorCode::kInvalid, "silence: expected UTF-8 of at most {} bytes as text",
                  kMaxSilenceTextBytes);
  }
  return {};
}

std::string EncodeMatchers(const std::vector<Matcher>& matchers) {
  json encoded = json::array();
  for (const Matcher& matcher : matchers)
    encoded.push_back({static_cast<int>(matcher.kind), matcher.name, matcher.value});
  return encoded.dump();
}

Result<std::vector<Matcher>> DecodeMatchers(std::string_view encoded) {
  const auto damaged = [] {
    return Fail(ErrorCode::kDamaged, "state.db: a silence's matchers are damaged");
  };
  const json list = json::parse(encoded, nullptr, false);
  if (!list.is_array()) return damaged();
  std::vector<Matcher> matchers;
  for (const json& each : list) {
    if (!each.is_array() || each.size() != 3 || !each[0].is_number_integer() ||
        !each[1].is_string() || !each[2].is_string())
      return damaged();
    const int kind = each[0].get<int>();
    if (kind < 0 || kind > static_cast<int>(Matcher::Kind::kNotRegex)) return damaged();
    matchers.push_back({static_cast<Matcher::Kind>(kind), each[1], each[2]});
  }
  return matchers;
}

}  // namespace atalaya::alertd
