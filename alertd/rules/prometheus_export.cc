#include "alertd/rules/prometheus_export.h"

#include <yaml-cpp/yaml.h>

#include <set>

#include "base/duration.h"

namespace atalaya::alertd {
namespace {

// Rules that follow each other in one group of one file.
struct Group {
  std::vector<const Rule*> rules;
  std::size_t limit = 0;  // That all of them share; 0: none, or they differ.
};

std::vector<Group> GroupsOf(const std::vector<Rule>& rules) {
  std::vector<Group> groups;
  for (const Rule& rule : rules) {
    const Rule* last = groups.empty() ? nullptr : groups.back().rules.back();
    if (last == nullptr || last->group != rule.group || last->place.file != rule.place.file)
      groups.push_back({{}, rule.limit});
    Group& group = groups.back();
    if (rule.limit != group.limit) group.limit = 0;
    group.rules.push_back(&rule);
  }
  return groups;
}

std::vector<std::string> LossesOf(const Rule& rule, std::size_t group_limit) {
  std::vector<std::string> losses;
  if (rule.recover != nullptr)
    losses.push_back("recover: a firing alert resolves as soon as expr yields nothing");
  if (rule.no_data == NoData::kKeep)
    losses.push_back("no_data = \"keep\": a firing alert resolves while its target is down");
  if (rule.immediate) losses.push_back("immediate: its notices wait for group_wait");
  if (rule.limit != group_limit)
    losses.push_back(fmt::format("limit = {}: only a group has one", rule.limit));
  return losses;
}

void AddTemplates(YAML::Emitter& yaml, const char* key,
                  const std::map<std::string, TextTemplate>& templates) {
  if (templates.empty()) return;
  yaml << YAML::Key << key << YAML::Value << YAML::BeginMap;
  for (const auto& [name, text] : templates)
    yaml << YAML::Key << name << YAML::Value << YAML::DoubleQuoted << text.source();
  yaml << YAML::EndMap;
}

void AddDuration(YAML::Emitter& yaml, const char* key, std::chrono::milliseconds duration) {
  if (duration.count() != 0) yaml << YAML::Key << key << YAML::Value << FormatDuration(duration);
}

void AddRule(YAML::Emitter& yaml, const Rule& rule, const std::vector<std::string>& losses) {
  for (const std::string& loss : losses) yaml << YAML::Comment("lost: " + loss) << YAML::Newline;
  yaml << YAML::BeginMap;
  yaml << YAML::Key << (rule.IsRecording() ? "record" : "alert") << YAML::Value << rule.Name();
  yaml << YAML::Key << "expr" << YAML::Value << YAML::DoubleQuoted << promql::ToString(*rule.expr);
  AddDuration(yaml, "for", rule.for_duration);
  AddDuration(yaml, "keep_firing_for", rule.keep_firing_for);
  AddTemplates(yaml, "labels", rule.labels);
  AddTemplates(yaml, "annotations", rule.annotations);
  yaml << YAML::EndMap;
}

}  // namespace

Result<PrometheusExport> ToPrometheusYaml(const std::vector<Rule>& rules) {
  PrometheusExport result;
  std::set<std::string> names;
  YAML::Emitter yaml;
  yaml << YAML::BeginMap << YAML::Key << "groups" << YAML::Value << YAML::BeginSeq;
  for (const Group& group : GroupsOf(rules)) {
    const Rule& first = *group.rules.front();
    if (!names.insert(first.group).second) {
      return Fail(ErrorCode::kInvalid,
                  "{}: the group \"{}\" is there already; in one Prometheus rule file each needs "
                  "a name of its own: export the files one by one",
                  first.place.ToString(), first.group);
    }
    yaml << YAML::BeginMap << YAML::Key << "name" << YAML::Value << first.group;
    AddDuration(yaml, "interval", first.interval);
    if (group.limit != 0) yaml << YAML::Key << "limit" << YAML::Value << group.limit;
    yaml << YAML::Key << "rules" << YAML::Value << YAML::BeginSeq;
    for (const Rule* rule : group.rules) {
      const std::vector<std::string> losses = LossesOf(*rule, group.limit);
      AddRule(yaml, *rule, losses);
      for (const std::string& loss : losses)
        result.losses.push_back(
            fmt::format("{}: {}: {}", rule->place.ToString(), rule->Name(), loss));
    }
    yaml << YAML::EndSeq << YAML::EndMap;
  }
  yaml << YAML::EndSeq << YAML::EndMap;
  result.yaml = std::string(yaml.c_str()) + "\n";
  return result;
}

}  // namespace atalaya::alertd
