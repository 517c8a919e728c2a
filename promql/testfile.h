#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace atalaya::promql {

// What came of one evaluation of a file, where it did not pass.
struct TestFileNote {
  std::string place;    // "operators.test:12"
  std::string message;  // What was expected and what came, or why it was skipped.
};

struct TestFileReport {
  std::string name;
  int passed = 0;
  std::vector<TestFileNote> failures;
  std::vector<TestFileNote> skips;  // Native histograms and experimental features, nothing else.
};

// Runs a file in Prometheus's promqltest format: `load`, `clear`, `eval instant`, `eval range` and
// the `expect` lines (the older `eval_fail`, `eval_warn`, `eval_info` and `eval_ordered` too).
// As in Prometheus's own runner, names are dropped late (EngineOptions::delayed_name_removal).
// Every instant evaluation that passed is repeated as the middle step of a range. A block that is
// not in the format is a failure. kNotFound and kIo as ReadFile has them.
Result<TestFileReport> RunTestFile(const std::filesystem::path& path);
TestFileReport RunTestText(std::string_view text, const std::string& name);

}  // namespace atalaya::promql
