#include "alertd/notify/inhibition.h"

namespace atalaya::alertd {
namespace {

// The values of `names`, so that no two lists of values are one text.
std::string ValuesOf(const telemetry::Labels& labels, const std::vector<std::string>& names) {
  std::string values;
  for (const std::string& name : names) {
    const std::string_view value = labels.Get(name);
    values += fmt::format("{}:{}", value.size(), value);
  }
  return values;
}

}  // namespace

InhibitRule ReadInhibitRule(ConfigTable& table) {
  InhibitRule rule;
  for (const auto& [key, to] :
       {std::pair("source_matchers", &rule.source), std::pair("target_matchers", &rule.target)}) {
    *to = ReadMatchers(table, key);
    if (table.Strings(key).empty())
      table.Fault(
          fmt::format("\"{}\" is missing (write {} = ['alertname=\"ServerDown\"'])", key, key));
  }
  rule.equal = table.Strings("equal");
  return rule;
}

Inhibitions::Inhibitions(const std::vector<InhibitRule>& rules, std::span<const Alert> firing)
    : rules_(rules), sources_(rules.size()) {
  for (std::size_t i = 0; i < rules.size(); ++i) {
    const InhibitRule& rule = rules[i];
    for (const Alert& alert : firing) {
      if (!rule.source.Hold(alert.labels)) continue;
      Sources& sources = sources_[i][ValuesOf(alert.labels, rule.equal)];
      const std::uint64_t fingerprint = alert.Fingerprint();
      if (!sources.any) sources.any = fingerprint;
      if (!sources.one_sided && !rule.target.Hold(alert.labels)) sources.one_sided = fingerprint;
    }
  }
}

std::optional<std::uint64_t> Inhibitions::InhibitedBy(const telemetry::Labels& labels) const {
  for (std::size_t i = 0; i < rules_.size(); ++i) {
    const InhibitRule& rule = rules_[i];
    if (sources_[i].empty() || !rule.target.Hold(labels)) continue;
    const auto found = sources_[i].find(ValuesOf(labels, rule.equal));
    if (found == sources_[i].end()) continue;
    const auto& by = rule.source.Hold(labels) ? found->second.one_sided : found->second.any;
    if (by) return by;
  }
  return std::nullopt;
}

}  // namespace atalaya::alertd
