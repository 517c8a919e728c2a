// /api/atalaya/rules: each rule with what it decides by: the value now, and the threshold.

#include <algorithm>
#include <cmath>

#include "alertd/api/answer.h"
#include "alertd/api/handlers.h"
#include "promql/parser.h"

namespace atalaya::alertd {
namespace {

using promql::BinaryOp;

constexpr std::size_t kDefaultRules = 200;
constexpr std::size_t kMaxRulesShown = 1'000;  // Each of them is a query.
constexpr std::chrono::milliseconds kDecisionTimeout{500};

std::string LowerCased(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return text;
}

bool RuleHas(const RuleStatus& rule, const std::string& lower_case) {
  if (lower_case.empty()) return true;
  const std::string* texts[] = {&rule.name, &rule.file, &rule.group, &rule.query};
  return std::any_of(std::begin(texts), std::end(texts), [&](const std::string* text) {
    return LowerCased(*text).find(lower_case) != std::string::npos;
  });
}

// The comparison with a number that an expression rests on: in `A < 10 and B` the left one.
const promql::Binary* DecidingComparison(const promql::Expr& expr) {
  if (expr.kind == promql::Expr::Kind::kParen)
    return DecidingComparison(*static_cast<const promql::Paren&>(expr).inner);
  if (expr.kind != promql::Expr::Kind::kBinary) return nullptr;
  const auto& binary = static_cast<const promql::Binary&>(expr);
  if (promql::IsComparison(binary.op))
    return binary.rhs->type == promql::ValueType::kScalar ? &binary : nullptr;
  if (!promql::IsSetOp(binary.op)) return nullptr;
  const promql::Binary* left = DecidingComparison(*binary.lhs);
  return left != nullptr ? left : DecidingComparison(*binary.rhs);
}

struct Decision {
  std::string_view comparison;
  double threshold = 0;
  std::optional<double> value;  // Of the series nearest to the threshold, or furthest beyond it.
  std::size_t series = 0;
};

// Whether `value` says more of the comparison than `other`.
bool SaysMore(BinaryOp op, double threshold, double value, double other) {
  switch (op) {
    case BinaryOp::kLess:
    case BinaryOp::kLessEqual:
      return value < other;
    case BinaryOp::kEqual:
      return std::abs(value - threshold) < std::abs(other - threshold);
    case BinaryOp::kNotEqual:
      return std::abs(value - threshold) > std::abs(other - threshold);
    default:
      return value > other;
  }
}

std::optional<promql::Value> EvaluateNow(const ApiContext& context, const promql::ExprPtr& expr) {
  auto result = context.options.engine->EvaluateInstant(
      expr, context.options.clock->NowMs(),
      {.lookback_ms = {}, .timeout = kDecisionTimeout, .cancelled = context.cancelled});
  if (!result) return std::nullopt;
  return std::move(result->value);
}

std::optional<Decision> Decide(const ApiContext& context, const std::string& query) {
  const auto expr = promql::Parse(query);
  const promql::Binary* comparison = expr ? DecidingComparison(**expr) : nullptr;
  if (comparison == nullptr) return std::nullopt;
  const auto limit = EvaluateNow(context, comparison->rhs);
  const auto* threshold = limit ? std::get_if<telemetry::Sample>(&*limit) : nullptr;
  const auto measured = EvaluateNow(context, comparison->lhs);
  const auto* vector =
      measured ? std::get_if<std::vector<telemetry::LabelledSample>>(&*measured) : nullptr;
  if (threshold == nullptr || vector == nullptr) return std::nullopt;
  Decision decision{promql::BinaryOpText(comparison->op), threshold->value, {}, vector->size()};
  for (const telemetry::LabelledSample& each : *vector) {
    const double value = each.sample.value;
    if (std::isnan(value)) continue;
    if (!decision.value || SaysMore(comparison->op, threshold->value, value, *decision.value))
      decision.value = value;
  }
  return decision;
}

void WriteDecision(JsonWriter& json, const std::optional<Decision>& decision) {
  json.Key("decision");
  if (!decision) {
    json.Null();
    return;
  }
  json.BeginObject().Field("comparison", decision->comparison);
  json.Key("threshold").Number(decision->threshold).Key("series").Integer(decision->series);
  json.Key("value");
  if (decision->value) {
    json.Number(*decision->value);
  } else {
    json.Null();
  }
  json.EndObject();
}

std::string_view ShownState(const RuleStatus& rule) {
  if (!rule.evaluated) return "unknown";
  if (!rule.last_error.empty()) return "failing";
  if (rule.is_recording) return "recording";
  if (rule.state == AlertState::kFiring) return "firing";
  return rule.state == AlertState::kPending ? "pending" : "inactive";
}

void WriteShownRule(const ApiContext& context, JsonWriter& json, const RuleStatus& rule) {
  json.BeginObject().Field("name", rule.name).Field("group", rule.group).Field("file", rule.file);
  json.Field("kind", rule.kind).Field("state", ShownState(rule)).Field("query", rule.query);
  json.Field("lastError", rule.last_error);
  json.Key("forSeconds").Number(static_cast<double>(rule.for_duration.count()) / 1000);
  const auto severity = rule.labels.find("severity");
  json.Field("severity", severity == rule.labels.end() ? "" : severity->second);
  json.Key("alerts").Integer(rule.alerts.size());
  WriteDecision(json, rule.is_recording ? std::nullopt : Decide(context, rule.query));
  json.EndObject();
}

}  // namespace

HttpResponse AnswerShownRules(const ApiContext& context) {
  const auto limit = context.params.Limit();
  if (!limit) return BadData(limit.error());
  const std::size_t most = std::min(*limit == 0 ? kDefaultRules : *limit, kMaxRulesShown);
  const std::string search = LowerCased(context.params.Text("search"));
  const auto snapshot =
      context.options.rules ? context.options.rules() : std::make_shared<const RulesSnapshot>();
  JsonWriter json = BeginSuccess();
  json.BeginObject().Key("rules").BeginArray();
  std::size_t found = 0;
  for (const RuleStatus& rule : snapshot->rules) {
    if (!RuleHas(rule, search)) continue;
    if (found++ < most) WriteShownRule(context, json, rule);
  }
  json.EndArray().Key("found").Integer(found).EndObject();
  return EndSuccess(std::move(json));
}

}  // namespace atalaya::alertd
