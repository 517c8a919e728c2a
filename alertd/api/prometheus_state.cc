// What alertd does by itself: /api/v1/rules, alerts, targets.

#include <charconv>
#include <cmath>
#include <filesystem>

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
  json.Field("value", ValueText(alert.value)).EndObject();
}

void WriteAlerts(JsonWriter& json, const std::vector<Alert>& alerts) {
  for (const Alert& alert : alerts) {
    if (alert.state != AlertState::kInactive) WriteAlert(json, alert);
  }
}

void WriteRule(JsonWriter& json, const RuleStatus& rule) {
  json.BeginObject().Field("state", StateName(rule.state)).Field("name", rule.alert);
  json.Field("query", rule.query).Key("duration").Number(Seconds(rule.for_duration));
  json.Key("keepFiringFor").Integer(0).Key("labels");
  WriteMap(json, rule.labels);
  json.Key("annotations");
  WriteMap(json, rule.annotations);
  json.Key("alerts").BeginArray();
  WriteAlerts(json, rule.alerts);
  json.EndArray();
  json.Field("health", !rule.evaluated ? "unknown" : rule.last_error.empty() ? "ok" : "err");
  if (!rule.last_error.empty()) json.Field("lastError", rule.last_error);
  json.Key("evaluationTime").Number(Seconds(rule.evaluation_time));
  json.Field("lastEvaluation", TimeText(rule.last_evaluation_ms));
  json.Field("type", "alerting").EndObject();
}

std::shared_ptr<const RulesSnapshot> Rules(const ApiContext& context) {
  if (!context.options.rules) return std::make_shared<const RulesSnapshot>();
  return context.options.rules();
}

// The rules of one file are one group.
std::vector<std::vector<const RuleStatus*>> ByFile(const RulesSnapshot& snapshot) {
  std::vector<std::vector<const RuleStatus*>> groups;
  for (const RuleStatus& rule : snapshot.rules) {
    if (groups.empty() || groups.back().front()->file != rule.file) groups.emplace_back();
    groups.back().push_back(&rule);
  }
  return groups;
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
  if (type != "record") {
    for (const auto& group : ByFile(*snapshot)) {
      const std::string& file = group.front()->file;
      json.BeginObject().Field("name", std::filesystem::path(file).stem().string());
      json.Field("file", file).Key("rules").BeginArray();
      std::chrono::nanoseconds took{0};
      for (const RuleStatus* rule : group) {
        WriteRule(json, *rule);
        took += rule->evaluation_time;
      }
      json.EndArray().Key("interval").Number(Seconds(snapshot->interval)).Key("limit").Integer(0);
      json.Key("evaluationTime").Number(Seconds(took));
      json.Field("lastEvaluation", TimeText(snapshot->evaluated_at_ms)).EndObject();
    }
  }
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

HttpResponse AnswerTargets(const ApiContext& context) {
  const TargetsSnapshot snapshot =
      context.options.targets ? context.options.targets() : TargetsSnapshot();
  const bool wanted = context.params.Text("state") != "dropped";
  JsonWriter json = BeginSuccess();
  json.BeginObject().Key("activeTargets").BeginArray();
  for (const TargetStatus& target : snapshot.targets) {
    if (!wanted) break;
    json.BeginObject().Key("discoveredLabels").BeginObject().EndObject();
    json.Key("labels").Labels(target.labels).Field("scrapePool", target.pool);
    json.Field("scrapeUrl", target.address).Field("globalUrl", target.address);
    json.Field("lastError", target.last_error).Field("lastScrape", TimeText(target.last_look_ms));
    json.Key("lastScrapeDuration").Number(Seconds(target.last_duration));
    json.Field("health", target.health == TargetHealth::kUp     ? "up"
                         : target.health == TargetHealth::kDown ? "down"
                                                                : "unknown");
    json.Field("scrapeInterval", FormatDuration(target.interval));
    json.Field("scrapeTimeout", FormatDuration(target.timeout)).EndObject();
  }
  json.EndArray().Key("droppedTargets").BeginArray().EndArray();
  json.Key("droppedTargetCounts").BeginObject().EndObject().EndObject();
  return EndSuccess(std::move(json));
}

}  // namespace atalaya::alertd
