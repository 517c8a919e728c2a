#include "alertd/rules/rule.h"

#include <algorithm>

#include "alertd/rules/typed_rules.h"
#include "base/duration.h"
#include "promql/parser.h"

namespace atalaya::alertd {
namespace {

// The names of keys that stand for what the rule watches, and of those only the ones present.
std::vector<std::string> KindsPresent(const ConfigTable& table) {
  std::vector<std::string> present;
  if (table.Has("expr")) present.emplace_back("expr");
  for (const std::string& kind : TypedRuleKinds()) {
    if (table.Has(kind)) present.push_back(kind);
  }
  return present;
}

promql::ExprPtr ReadExpr(ConfigTable& table) {
  const std::string text = table.RequiredString("expr");
  if (text.empty()) return nullptr;
  const Result<promql::ExprPtr> parsed = promql::Parse(text);
  if (!parsed) {
    table.Fault("expr", parsed.error().message);
    return nullptr;
  }
  const promql::ValueType type = (*parsed)->type;
  if (type == promql::ValueType::kVector || type == promql::ValueType::kScalar) return *parsed;
  table.Fault("expr", fmt::format("yields a {}; a rule needs an instant vector or a scalar",
                                  promql::TypeName(type)));
  return nullptr;
}

void AddTemplate(ConfigTable& table, std::string_view key, const std::string& name,
                 const std::string& text, std::map<std::string, TextTemplate>& into) {
  Result<TextTemplate> parsed = TextTemplate::Parse(text);
  if (!parsed) {
    table.Fault(key, fmt::format("{}{}", name == key ? "" : name + ": ", parsed.error().message));
    return;
  }
  into.insert_or_assign(name, std::move(*parsed));
}

void ReadTemplates(ConfigTable& table, std::string_view key,
                   std::map<std::string, TextTemplate>& into) {
  for (const auto& [name, text] : table.StringMap(key)) {
    const bool reserved = name == "alertname" || name == telemetry::kMetricName;
    if (!promql::IsBareLabelName(name) || reserved) {
      table.Fault(key, fmt::format("\"{}\" {}", name,
                                   reserved ? "is set by cloud_alertd itself"
                                            : "is no name (write letters, digits and _)"));
      continue;
    }
    AddTemplate(table, key, name, text, into);
  }
}

}  // namespace

Rule ReadRule(ConfigTable& table) {
  Rule rule;
  rule.place = table.Place();
  rule.alert = table.RequiredString("alert");
  const std::vector<std::string> kinds = KindsPresent(table);
  if (kinds.empty()) {
    table.Fault(fmt::format("{}: what it watches is missing (expr, {})", table.Name(),
                            fmt::join(TypedRuleKinds(), ", ")));
  } else {
    rule.kind = kinds.front();
    rule.expr = rule.kind == "expr" ? ReadExpr(table) : CompileTypedRule(rule.kind, table);
  }
  for (std::size_t i = 1; i < kinds.size(); ++i) {
    table.Fault(kinds[i], fmt::format("a rule watches one thing, and \"{}\" is there already",
                                      kinds.front()));
  }
  if (rule.expr != nullptr) rule.presence = PresenceOf(rule.expr);
  rule.for_duration = table.Duration("for", rule.for_duration);
  const bool local_down = rule.kind == "down" && table.Table("down").Has("process") &&
                          !table.Table("down").Has("job") && !table.Table("down").Has("probe");
  rule.immediate = table.Bool("immediate", local_down);
  ReadTemplates(table, "labels", rule.labels);
  ReadTemplates(table, "annotations", rule.annotations);
  for (const char* key : {"severity", "summary"}) {
    if (!table.Has(key)) continue;
    auto& into = std::string_view(key) == "severity" ? rule.labels : rule.annotations;
    if (into.contains(key)) table.Fault(key, "is given twice");
    AddTemplate(table, key, key, table.String(key), into);
  }
  return rule;
}

std::string DescribeRule(const Rule& rule) {
  std::string text = fmt::format("{} ({}, {})", rule.alert, rule.kind, rule.place.ToString());
  if (rule.for_duration.count() > 0) text += " for " + FormatDuration(rule.for_duration);
  return fmt::format("{}\n  {}", text, promql::ToString(*rule.expr));
}

}  // namespace atalaya::alertd
