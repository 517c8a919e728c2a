#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace atalaya::alertd {

struct RuleTestReport {
  int passed = 0;
  std::vector<std::string> failures;  // "rules/tests/host.toml:12:1: at 5m: ..."
};

// Runs the unit tests of one TOML file (docs/reference/cloud_alertd.md, "Testing rules") on a clock
// of their own. kNotFound, kIo or kInvalid (every fault, a line each) where it or its rule files
// cannot be read.
Result<RuleTestReport> RunRuleTestFile(const std::string& path);

}  // namespace atalaya::alertd
