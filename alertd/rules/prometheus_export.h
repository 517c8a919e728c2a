#pragma once

#include <string>
#include <vector>

#include "alertd/rules/rule.h"
#include "base/result.h"

namespace atalaya::alertd {

struct PrometheusExport {
  std::string yaml;
  // What a rule says that the file cannot: `rules/host.toml:3:1: DiskSpaceLow: no_data = "keep"..`.
  std::vector<std::string> losses;
};

// The rules, typed ones as PromQL, as a Prometheus rule file; above each rule that loses something
// a comment says what. kInvalid where two files have a group of one name.
Result<PrometheusExport> ToPrometheusYaml(const std::vector<Rule>& rules);

}  // namespace atalaya::alertd
