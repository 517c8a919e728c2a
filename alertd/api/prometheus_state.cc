// What alertd does by itself: /api/v1/rules, alerts, targets.

#include <algorithm>
#include <charconv>
#include <cmath>

#include "alertd/api/answer.h"
#include "alertd/api/handlers.h"
#include "base/duration.h"

namespace atalaya::alertd {
namespace {

constexpr char kNeverText[] = "0001-01-01T00:00:00Z";  // How Go writes a time that was not set.

std::string TimeText(std::int64_t utc_ms) {
  return utc_ms == 0 ? kNeverText : FormatRfc3339(utc_ms);
}

double Seconds(std::chrono::nanoseconds time) { return static_cast<double>(time.count()) / 1e9; }

std::string_view StateName(AlertState state) {
  switch (state) {
    case AlertState::kInactive:
      return "inactive";
    case AlertState::kPending:
      return "pending";
    case AlertState::kFiring:
      return "firing";
  }
  return "";
}

// An alert's value as Prometheus has it here: always in scientific form.
std::string ValueText(double value) {
  if (!std::isfinite(value)) return FormatSampleValue(value);
  char buffer[64];
  return {buffer,
          std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::scientific).ptr};
}

void WriteMap(JsonWriter& json, const std::map<std::string, std::string>& map) {
  json.BeginObject();
  for (const auto& [key, value] : map) json.Field(key, value);
  json.EndObject();
}

void WriteAlert(JsonWriter& json, const Alert& alert) {
  json.BeginObject().Key("labels").Labels(alert.labels).Key("annotations");
  WriteMap(json, alert.annotations);
  json.Field("state", StateName(alert.state));
  json.Field("activeAt", TimeText(alert.active_since_ms));
  if (alert.kept_since_ms != 0) json.Field("keepFiringSince", TimeText(alert.kept_since_ms));
  json.Field("value", ValueText(alert.value)).EndObject();
}

void WriteAlerts(JsonWriter& json, const std::vector<Alert>& alerts) {
  for (const Alert& alert : alerts) {
    if (alert.state != AlertState::kInactive) WriteAlert(json, alert);
  }
}

// What only an alerting rule has.
void WriteAlerting(JsonWriter& json, const RuleStatus& rule) {
  json.Field("state", StateName(rule.state));
  json.Key("duration").Number(Seconds(rule.for_duration));
  json.Key("keepFiringFor").Number(Seconds(rule.keep_firing_for)).Key("annotations");
  WriteMap(json, rule.annotations);
  json.Key("alerts").BeginArray();
  WriteAlerts(json, rule.alerts);
  json.EndArray();
}

void WriteRule(JsonWriter& json, const RuleStatus& rule) {
  json.BeginObject().Field("name", rule.name).Field("query", rule.query).Key("labels");
  WriteMap(json, rule.labels);
  if (!rule.is_recording) WriteAlerting(json, rule);
  json.Field("health", !rule.evaluated ? "unknown" : rule.last_error.empty() ? "ok" : "err");
  if (!rule.last_error.empty()) json.Field("lastError", rule.last_error);
  if (!rule.unmatched.empty()) {
    json.Key("unmatchedSelectors").BeginArray();
    for (const std::string& selector : rule.unmatched) json.String(selector);
    json.EndArray();
  }
  json.Key("evaluationTime").Number(Seconds(rule.evaluation_time));
  json.Field("lastEvaluation", TimeText(rule.last_evaluation_ms));
  json.Field("type", rule.is_recording ? "recording" : "alerting").EndObject();
}

std::shared_ptr<const RulesSnapshot> Rules(const ApiContext& context) {
  if (!context.options.rules) return std::make_shared<const RulesSnapshot>();
  return context.options.rules();
}

using Group = std::vector<const RuleStatus*>;

// The rules of the wanted type by file and group; a group without one is left out.
std::vector<Group> ByGroup(const RulesSnapshot& snapshot, const std::string& type) {
  std::vector<Group> groups;
  for (const RuleStatus& rule : snapshot.rules) {
    if (!type.empty() && rule.is_recording != (type == "record")) continue;
    if (groups.empty() || groups.back().front()->file != rule.file ||
        groups.back().front()->group != rule.group)
      groups.emplace_back();
    groups.back().push_back(&rule);
  }
  return groups;
}

void WriteGroup(JsonWriter& json, const Group& group, std::chrono::milliseconds interval) {
  const RuleStatus& first = *group.front();
  json.BeginObject().Field("name", first.group).Field("file", first.file).Key("rules").BeginArray();
  std::chrono::nanoseconds took{0};
  std::int64_t last_ms = 0;
  for (const RuleStatus* rule : group) {
    WriteRule(json, *rule);
    took += rule->evaluation_time;
    last_ms = std::max(last_ms, rule->last_evaluation_ms);
  }
  json.EndArray().Key("interval");
  json.Number(Seconds(first.interval.count() != 0 ? first.interval : interval));
  json.Key("limit");
  json.Integer(static_cast<std::int64_t>(first.limit));
  json.Key("evaluationTime").Number(Seconds(took));
  json.Field("lastEvaluation", TimeText(last_ms)).EndObject();
}

}  // namespace

HttpResponse AnswerRules(const ApiContext& context) {
  const std::string type = context.params.Text("type");
  if (!type.empty() && type != "alert" && type != "record") {
    return ErrorAnswer(400, "bad_data",
                       "invalid parameter \"type\": \"" + type + "\" is neither alert nor record");
  }
  const auto snapshot = Rules(context);
  JsonWriter json = BeginSuccess();
  json.BeginObject().Key("groups").BeginArray();
  for (const Group& group : ByGroup(*snapshot, type)) WriteGroup(json, group, snapshot->interval);
  json.EndArray().EndObject();
  return EndSuccess(std::move(json));
}

HttpResponse AnswerAlerts(const ApiContext& context) {
  const auto snapshot = Rules(context);
  JsonWriter json = BeginSuccess();
  json.BeginObject().Key("alerts").BeginArray();
  for (const RuleStatus& rule : snapshot->rules) WriteAlerts(json, rule.alerts);
  json.EndArray().EndObject();
  return EndSuccess(std::move(json));
}

namespace {

void WriteTarget(JsonWriter& json, const TargetStatus& target) {
  json.BeginObject().Key("discoveredLabels");
  WriteMap(json, target.discovered);
  json.Key("labels").Labels(target.labels).Field("scrapePool", target.pool);
  json.Field("scrapeUrl", target.address).Field("globalUrl", target.address);
  json.Field("lastError", target.last_error).Field("lastScrape", TimeText(target.last_look_ms));
  json.Key("lastScrapeDuration").Number(Seconds(target.last_duration));
  if (!target.note.empty()) json.Field("note", target.note);
  json.Field("health", TargetHealthName(target.health));
  json.Field("scrapeInterval", FormatDuration(target.interval));
  json.Field("scrapeTimeout", FormatDuration(target.timeout)).EndObject();
}

}  // namespace

HttpResponse AnswerTargets(const ApiContext& context) {
  const std::string state = context.params.Text("state");
  JsonWriter json = BeginSuccess();
  json.BeginObject().Key("activeTargets").BeginArray();
  // As in Prometheus, a state that is none shows nothing.
  const bool active = state.empty() || state == "any" || state == "active";
  if (context.options.targets && active) {
    for (const TargetStatus& target : context.options.targets()) WriteTarget(json, target);
  }
  json.EndArray().Key("droppedTargets").BeginArray().EndArray().EndObject();
  return EndSuccess(std::move(json));
}

}  // namespace atalaya::alertd
