#include "alertd/rules/rule.h"

#include <filesystem>
#include <set>

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

promql::ExprPtr ReadExpr(ConfigTable& table, std::string_view key) {
  const std::string text = table.RequiredString(key);
  if (text.empty()) return nullptr;
  const Result<promql::ExprPtr> parsed = ParseRuleExpr(text);
  if (parsed) return *parsed;
  table.FaultWithin(key, parsed.error().message);
  return nullptr;
}

void AddTemplate(ConfigTable& table, std::string_view key, const std::string& name,
                 const std::string& text, std::map<std::string, TextTemplate>& into) {
  Result<TextTemplate> parsed = TextTemplate::Parse(text);
  if (!parsed) {
    const std::string& message = parsed.error().message;
    return name == key ? table.FaultWithin(key, message)
                       : table.Fault(key, fmt::format("{}: {}", name, message));
  }
  into.insert_or_assign(name, std::move(*parsed));
}

void ReadTemplates(ConfigTable& table, std::string_view key,
                   std::map<std::string, TextTemplate>& into) {
  for (const auto& [name, text] : table.StringMap(key)) {
    if (const Status good = CheckRuleLabel(name); !good) {
      table.Fault(key, good.error().message);
      continue;
    }
    AddTemplate(table, key, name, text, into);
  }
}

constexpr std::chrono::milliseconds kMinGroupInterval{100};
constexpr std::int64_t kMaxRuleLimit = 1'000'000;

std::size_t ReadLimit(ConfigTable& table) {
  return static_cast<std::size_t>(table.Integer("limit", 0, 0, kMaxRuleLimit));
}

void ReadRecording(ConfigTable& table, Rule& rule) {
  rule.record = table.RequiredString("record");
  rule.kind = "record";
  rule.expr = ReadExpr(table, "expr");
  if (const Status good = CheckRecordName(rule.record); !good && !rule.record.empty())
    table.Fault("record", good.error().message);
  ReadTemplates(table, "labels", rule.labels);
}

// What the rule watches: exactly one kind.
void ReadCondition(ConfigTable& table, Rule& rule) {
  const std::vector<std::string> kinds = KindsPresent(table);
  if (kinds.empty()) {
    return table.Fault(fmt::format("{}: what it watches is missing (expr, {})", table.Name(),
                                   fmt::join(TypedRuleKinds(), ", ")));
  }
  rule.kind = kinds.front();
  if (rule.kind == "expr") {
    rule.expr = ReadExpr(table, "expr");
    if (table.Has("recover")) rule.recover = ReadExpr(table, "recover");
  } else {
    TypedRule typed = CompileTypedRule(rule.kind, table);
    rule.expr = std::move(typed.expr);
    rule.recover = std::move(typed.recover);
    rule.sight = typed.sight;
    rule.no_data = NoData::kKeep;
  }
  for (std::size_t i = 1; i < kinds.size(); ++i) {
    table.Fault(kinds[i], fmt::format("a rule watches one thing, and \"{}\" is there already",
                                      kinds.front()));
  }
  if (rule.expr != nullptr) rule.presence = PresenceOf(rule.expr);
}

// `expr or label_replace(absent(presence), "no_data", "true", "", "")`; null where it cannot be.
promql::ExprPtr OrNoData(const Rule& rule) {
  Result<promql::ExprPtr> absent =
      promql::MakeCall("absent", {rule.presence != nullptr ? rule.presence : rule.expr});
  if (!absent) return nullptr;
  Result<promql::ExprPtr> labelled = promql::MakeCall(
      "label_replace", {*absent, promql::MakeString("no_data"), promql::MakeString("true"),
                        promql::MakeString(""), promql::MakeString("")});
  if (!labelled) return nullptr;
  Result<promql::ExprPtr> both =
      promql::MakeBinary(promql::BinaryOp::kOr, rule.expr, std::move(*labelled));
  return both ? *both : nullptr;
}

void ReadNoData(ConfigTable& table, Rule& rule) {
  const std::string word = table.OneOf("no_data", rule.no_data == NoData::kKeep ? "keep" : "ok",
                                       {"ok", "keep", "alert"});
  rule.no_data = word == "keep" ? NoData::kKeep : NoData::kOk;
  if (word != "alert" || rule.expr == nullptr) return;
  rule.no_data = NoData::kAlert;
  promql::ExprPtr with_absent = OrNoData(rule);
  if (with_absent == nullptr)
    return table.Fault("no_data", "\"alert\" needs an expr that yields an instant vector");
  rule.expr = std::move(with_absent);
}

void ReadAlerting(ConfigTable& table, Rule& rule) {
  rule.alert = table.RequiredString("alert");
  ReadCondition(table, rule);
  ReadNoData(table, rule);
  rule.for_duration = table.Duration("for", rule.for_duration);
  rule.keep_firing_for = table.Duration("keep_firing_for", rule.keep_firing_for);
  const bool local_down = rule.kind == "down" && table.Table("down").Has("process") &&
                          !table.Table("down").Has("job") && !table.Table("down").Has("probe");
  rule.immediate = table.Bool("immediate", local_down);
  ReadTemplates(table, "labels", rule.labels);
  ReadTemplates(table, "annotations", rule.annotations);
  for (const char* key : {"severity", "summary", "runbook"}) {
    if (!table.Has(key)) continue;
    auto& into = std::string_view(key) == "severity" ? rule.labels : rule.annotations;
    if (into.contains(key)) table.Fault(key, "is given twice");
    AddTemplate(table, key, key, table.String(key), into);
  }
}

Result<std::vector<Rule>> ReadWhole(Result<ConfigFile> file) {
  if (!file) return Forward(file.error());
  std::vector<Rule> rules = ReadRules(file->Root());
  if (Status good = file->Finish(); !good) return Forward(good.error());
  return rules;
}

}  // namespace

Rule ReadRule(ConfigTable& table) {
  Rule rule;
  rule.place = table.Place();
  rule.group = std::filesystem::path(rule.place.file).stem().string();
  if (table.Has("record")) {
    ReadRecording(table, rule);
  } else {
    ReadAlerting(table, rule);
  }
  rule.limit = ReadLimit(table);
  return rule;
}

std::vector<Rule> ReadRules(ConfigTable root) {
  std::vector<Rule> rules;
  for (ConfigTable& table : root.Tables("rule")) rules.push_back(ReadRule(table));
  std::set<std::string> names;
  for (ConfigTable& group : root.Tables("group")) {
    const std::string name = group.RequiredString("name");
    if (!name.empty() && !names.insert(name).second)
      group.Fault("name", fmt::format("\"{}\" is there already", name));
    const auto interval = group.Duration("interval", std::chrono::milliseconds(0));
    if (group.Has("interval") && interval < kMinGroupInterval)
      group.Fault("interval", "is out of range (100ms at least)");
    const std::size_t limit = ReadLimit(group);
    for (ConfigTable& table : group.Tables("rule")) {
      Rule rule = ReadRule(table);
      rule.group = name;
      rule.interval = interval;
      if (rule.limit == 0) rule.limit = limit;
      rules.push_back(std::move(rule));
    }
  }
  return rules;
}

Result<std::vector<Rule>> LoadRules(const std::string& path) {
  return ReadWhole(ConfigFile::Load(path));
}

Result<std::vector<Rule>> ParseRules(std::string_view toml, const std::string& name) {
  return ReadWhole(ConfigFile::Parse(toml, name));
}

Result<promql::ExprPtr> ParseRuleExpr(std::string_view text) {
  Result<promql::ExprPtr> parsed = promql::Parse(text);
  if (!parsed) return parsed;
  const promql::ValueType type = (*parsed)->type;
  if (type == promql::ValueType::kVector || type == promql::ValueType::kScalar) return parsed;
  return Fail(ErrorCode::kInvalid, "yields a {}; a rule needs an instant vector or a scalar",
              promql::TypeName(type));
}

Status CheckRuleLabel(std::string_view name) {
  if (name == "alertname" || name == telemetry::kMetricName)
    return Fail(ErrorCode::kInvalid, "\"{}\" is set by cloud_alertd itself", name);
  if (promql::IsBareLabelName(name)) return {};
  return Fail(ErrorCode::kInvalid, "\"{}\" is no name (write letters, digits and _)", name);
}

Status CheckRecordName(std::string_view name) {
  if (promql::IsBareMetricName(name)) return {};
  return Fail(ErrorCode::kInvalid, "\"{}\" is no metric name", name);
}

std::string DescribeRule(const Rule& rule) {
  std::string text = fmt::format("{} ({}, {})", rule.Name(), rule.kind, rule.place.ToString());
  if (rule.for_duration.count() > 0) text += " for " + FormatDuration(rule.for_duration);
  text += "\n  " + promql::ToString(*rule.expr);
  if (rule.recover != nullptr) text += "\n  recovers at: " + promql::ToString(*rule.recover);
  return text;
}

}  // namespace atalaya::alertd
