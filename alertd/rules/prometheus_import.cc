#include "alertd/rules/prometheus_import.h"

#include <algorithm>
#include <set>

#include "alertd/rules/yaml_table.h"
#include "base/duration.h"

namespace atalaya::alertd {
namespace {

using Templates = std::map<std::string, TextTemplate>;

void AddTemplates(YamlTable& table, std::string_view key,
                  const std::map<std::string, std::string>& texts, Templates& into) {
  for (const auto& [name, text] : texts) {
    if (Status good = CheckRuleLabel(name); !good) table.Fault(key, good.error().message);
    Result<TextTemplate> parsed = TextTemplate::Parse(text);
    if (parsed) {
      into.insert_or_assign(name, std::move(*parsed));
    } else {
      table.Fault(key, fmt::format("{}: {}", name, parsed.error().message));
    }
  }
}

std::string WithoutTrailingSpace(std::string text) {
  text.erase(text.find_last_not_of(" \t\r\n") + 1);
  return text;
}

// One rule, of a group whose own name, interval and limit are `group`'s.
PrometheusRule ReadOne(YamlTable& table, const Rule& group,
                       const std::map<std::string, std::string>& group_labels) {
  PrometheusRule read{group, WithoutTrailingSpace(table.RequiredText("expr"))};
  Rule& rule = read.rule;
  rule.place = table.Place();
  rule.record = table.Text("record");
  rule.alert = table.Text("alert");
  if (rule.record.empty() == rule.alert.empty())
    table.Fault("a rule has either \"record\" or \"alert\"");
  rule.kind = rule.IsRecording() ? "record" : "expr";
  if (!read.expr.empty()) {
    const Result<promql::ExprPtr> expr = ParseRuleExpr(read.expr);
    if (!expr) table.Fault("expr", expr.error().message);
    rule.expr = expr.value_or(nullptr);
  }
  std::map<std::string, std::string> labels = table.TextMap("labels");
  labels.insert(group_labels.begin(), group_labels.end());
  AddTemplates(table, "labels", labels, rule.labels);
  if (rule.IsRecording()) {
    if (Status good = CheckRecordName(rule.record); !good)
      table.Fault("record", good.error().message);
    return read;
  }
  rule.for_duration = table.Duration("for", rule.for_duration);
  rule.keep_firing_for = table.Duration("keep_firing_for", rule.keep_firing_for);
  AddTemplates(table, "annotations", table.TextMap("annotations"), rule.annotations);
  return read;
}

std::vector<PrometheusRule> ReadGroups(YamlTable& root) {
  std::vector<PrometheusRule> rules;
  std::set<std::string> names;
  for (YamlTable& table : root.Tables("groups")) {
    Rule group;
    group.group = table.RequiredText("name");
    if (!names.insert(group.group).second)
      table.Fault("name", fmt::format("\"{}\" is there already", group.group));
    group.interval = table.Duration("interval", group.interval);
    group.limit = table.Count("limit");
    if (table.Has("query_offset") && table.Text("query_offset") != "0s")
      table.Fault("query_offset", "there is none here: rules judge what is there now");
    table.Text("partial_response_strategy");  // Of Thanos: says nothing to one server alone.
    const std::map<std::string, std::string> labels = table.TextMap("labels");
    for (YamlTable& each : table.Tables("rules")) rules.push_back(ReadOne(each, group, labels));
  }
  return rules;
}

Result<std::vector<PrometheusRule>> Read(Result<YamlTable> root) {
  if (!root) return Forward(root.error());
  std::vector<PrometheusRule> rules = ReadGroups(*root);
  if (Status good = root->Finish(); !good) return Forward(good.error());
  return rules;
}

// In the form that reads best of those that can carry `text`.
std::string TomlString(const std::string& text) {
  const auto has = [&](std::string_view part) { return text.find(part) != std::string::npos; };
  const bool control = std::any_of(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t') || c == 0x7f;
  });
  if (!control && !has("\n") && !has("\"") && !has("\\")) return fmt::format("\"{}\"", text);
  if (!control && !has("\n") && !has("'")) return fmt::format("'{}'", text);
  if (!control && has("\n") && !has("''") && !text.ends_with('\''))
    return fmt::format("'''\n{}'''", text);
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      quoted += {'\\', c};
    } else if (c == '\n') {
      quoted += "\\n";
    } else if ((static_cast<unsigned char>(c) < 0x20) || c == 0x7f) {
      quoted += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    } else {
      quoted += c;
    }
  }
  return quoted + '"';
}

void AddText(std::string& toml, std::string_view key, const std::string& text) {
  toml += fmt::format("{} = {}\n", key, TomlString(text));
}

void AddDuration(std::string& toml, std::string_view key, std::chrono::milliseconds duration) {
  if (duration.count() != 0) toml += fmt::format("{} = \"{}\"\n", key, FormatDuration(duration));
}

// Under a header of their own, save those that have a short form.
void AddTable(std::string& toml, std::string_view name, const Templates& templates,
              const std::set<std::string>& shortened) {
  std::string table;
  for (const auto& [key, text] : templates) {
    if (!shortened.contains(key)) AddText(table, key, text.source());
  }
  if (!table.empty()) toml += fmt::format("[group.rule.{}]\n{}", name, table);
}

void AddRule(std::string& toml, const PrometheusRule& each) {
  const Rule& rule = each.rule;
  toml += "\n[[group.rule]]\n";
  AddText(toml, rule.IsRecording() ? "record" : "alert", rule.Name());
  AddText(toml, "expr", each.expr);
  AddDuration(toml, "for", rule.for_duration);
  AddDuration(toml, "keep_firing_for", rule.keep_firing_for);
  std::set<std::string> short_labels, short_annotations;
  if (!rule.IsRecording()) {
    short_labels = {"severity"};
    short_annotations = {"summary", "runbook"};
  }
  for (const auto& [keys, templates] :
       {std::pair(short_labels, &rule.labels), std::pair(short_annotations, &rule.annotations)}) {
    for (const std::string& key : keys) {
      if (templates->contains(key)) AddText(toml, key, templates->at(key).source());
    }
  }
  AddTable(toml, "labels", rule.labels, short_labels);
  AddTable(toml, "annotations", rule.annotations, short_annotations);
}

}  // namespace

Result<std::vector<PrometheusRule>> ReadPrometheusRules(const std::string& path) {
  return Read(YamlTable::Load(path));
}

Result<std::vector<PrometheusRule>> ParsePrometheusRules(std::string_view text,
                                                         const std::string& name) {
  return Read(YamlTable::Parse(text, name));
}

std::string ToToml(const std::vector<PrometheusRule>& rules) {
  std::string toml;
  std::string group;
  for (const PrometheusRule& each : rules) {
    const Rule& rule = each.rule;
    if (toml.empty() || rule.group != group) {
      toml += toml.empty() ? "[[group]]\n" : "\n[[group]]\n";
      AddText(toml, "name", rule.group);
      AddDuration(toml, "interval", rule.interval);
      if (rule.limit != 0) toml += fmt::format("limit = {}\n", rule.limit);
      group = rule.group;
    }
    AddRule(toml, each);
  }
  return toml;
}

}  // namespace atalaya::alertd
