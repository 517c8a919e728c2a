#include <cstdio>
#include <string>
#include <vector>

#include "alertd/commands/commands.h"
#include "alertd/commands/promtool_test.h"
#include "alertd/commands/rule_test.h"
#include "base/flags.h"

namespace atalaya::alertd {

int RunTestCommand(int argc, const char* const* argv) {
  std::vector<std::string> files;
  Flags flags("cloud_alertd test",
              "Runs unit tests of rules: series in, alerts expected at times; the last line is the "
              "sum.");
  flags.AddPositionals("FILE", &files, "TOML file of tests, or promtool's YAML; repeatable");
  Status parsed = flags.Parse(argc, argv);
  if (parsed && files.empty())
    parsed = Fail(ErrorCode::kInvalid, "FILE is missing (write test rules/tests/host.toml)");
  if (!parsed) {
    std::fprintf(stderr, "cloud_alertd: %s\n", parsed.error().message.c_str());
    return 2;
  }
  int passed = 0;
  std::size_t failed = 0;
  for (const std::string& path : files) {
    const bool yaml = path.ends_with(".yml") || path.ends_with(".yaml");
    Result<RuleTestReport> report = yaml ? RunPromtoolTestFile(path) : RunRuleTestFile(path);
    if (!report) report = RuleTestReport{0, {report.error().message}};
    for (const std::string& failure : report->failures) std::printf("%s\n", failure.c_str());
    passed += report->passed;
    failed += report->failures.size();
  }
  std::printf("%d passed, %zu failed\n", passed, failed);
  return failed == 0 ? 0 : 1;
}

}  // namespace atalaya::alertd
