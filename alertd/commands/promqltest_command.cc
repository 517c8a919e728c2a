#include <cstdio>
#include <string>
#include <vector>

#include "alertd/commands/commands.h"
#include "base/flags.h"
#include "promql/testfile.h"

namespace atalaya::alertd {
namespace {

struct Totals {
  std::size_t passed = 0;
  std::size_t failed = 0;
  std::size_t skipped = 0;
};

void PrintNotes(const char* what, const std::vector<promql::TestFileNote>& notes) {
  for (const promql::TestFileNote& note : notes) {
    std::printf("  %s %s: %s\n", what, note.place.c_str(), note.message.c_str());
  }
}

void RunFile(const std::string& path, Totals& totals) {
  const Result<promql::TestFileReport> report = promql::RunTestFile(path);
  if (!report) {
    std::printf("%s\n", report.error().message.c_str());
    ++totals.failed;
    return;
  }
  std::printf("%s: %d passed, %zu failed, %zu skipped\n", report->name.c_str(), report->passed,
              report->failures.size(), report->skips.size());
  PrintNotes("failed", report->failures);
  PrintNotes("skipped", report->skips);
  totals.passed += static_cast<std::size_t>(report->passed);
  totals.failed += report->failures.size();
  totals.skipped += report->skips.size();
}

}  // namespace

int RunPromqlTestCommand(int argc, const char* const* argv) {
  std::vector<std::string> files;
  Flags flags("cloud_alertd promqltest",
              "Runs files in Prometheus's PromQL test format; the last line is the sum.");
  flags.AddPositionals("FILE", &files, "file to run; repeatable");
  Status parsed = flags.Parse(argc, argv);
  if (parsed && files.empty()) {
    parsed = Fail(ErrorCode::kInvalid, "FILE is missing (write promqltest operators.test)");
  }
  if (!parsed) {
    std::fprintf(stderr, "cloud_alertd: %s\n", parsed.error().message.c_str());
    return 2;
  }
  Totals totals;
  for (const std::string& file : files) RunFile(file, totals);
  std::printf("%zu passed, %zu failed, %zu skipped\n", totals.passed, totals.failed,
              totals.skipped);
  return totals.failed == 0 ? 0 : 1;
}

}  // namespace atalaya::alertd
