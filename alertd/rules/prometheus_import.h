#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "alertd/rules/rule.h"
#include "base/result.h"

namespace atalaya::alertd {

// A rule of a Prometheus rule file, with its expression as it was written.
struct PrometheusRule {
  Rule rule;
  std::string expr;
};

// Reads a Prometheus rule file (YAML), with every key that its version 3.5 knows; `query_offset`
// is refused, as rules here have none. kInvalid with every fault, a line each, else as
// YamlTable::Load fails.
Result<std::vector<PrometheusRule>> ReadPrometheusRules(const std::string& path);
Result<std::vector<PrometheusRule>> ParsePrometheusRules(std::string_view text,
                                                         const std::string& name);

// The same rules as a rule file of cloud_alertd.
std::string ToToml(const std::vector<PrometheusRule>& rules);

}  // namespace atalaya::alertd
