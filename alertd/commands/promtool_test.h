#pragma once

#include <string>

#include "alertd/commands/rule_test.h"
#include "base/result.h"

namespace atalaya::alertd {

// Runs a file of `promtool test rules` (YAML) on the Prometheus rule files that it names, judged as
// promtool does: an evaluation of all rules every `evaluation_interval`, from the Unix epoch on.
// Fails as RunRuleTestFile does; `external_labels` and `external_url` are refused, as rules have
// none here.
Result<RuleTestReport> RunPromtoolTestFile(const std::string& path);

}  // namespace atalaya::alertd
