#include "promql/testfile.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <map>

namespace atalaya::promql {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> TestFiles(const fs::path& folder) {
  std::vector<fs::path> files;
  if (!fs::is_directory(folder)) return files;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() == ".test") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

// Runs every file of the folder, prints a line of counts for each, and fails with every failure.
void RunFolder(const fs::path& folder, bool skips_allowed) {
  for (const fs::path& file : TestFiles(folder)) {
    Result<TestFileReport> report = RunTestFile(file);
    ASSERT_TRUE(report) << report.error().message;
    std::cout << report->name << ": " << report->passed << " passed, " << report->failures.size()
              << " failed, " << report->skips.size() << " skipped\n";
    for (const TestFileNote& note : report->failures) {
      ADD_FAILURE() << note.place << ": " << note.message;
    }
    for (const TestFileNote& note : report->skips) {
      if (skips_allowed) std::cout << "  skipped " << note.place << ": " << note.message << "\n";
      EXPECT_TRUE(skips_allowed) << note.place << ": " << note.message;
    }
  }
}

TEST(PromqlConformance, PassesEveryFloatCaseOfTheSharedFiles) {
  const char* shared = std::getenv("ATALAYA_SHARED");
  const fs::path folder =
      fs::path(shared != nullptr ? shared : "../shared") / "conformance" / "promql";
  if (TestFiles(folder).empty()) GTEST_SKIP() << "no test files in " << folder;
  RunFolder(folder, true);
}

TEST(PromqlConformance, PassesOurOwnFiles) {
  ASSERT_FALSE(TestFiles("promql/tests/data").empty());
  RunFolder("promql/tests/data", false);
}

TEST(PromqlTestFile, CountsFailuresAndSkipsWithTheirLine) {
  const TestFileReport report = RunTestText(R"(load 1m
  a 1+1x3
  h {{count:1}}x3

eval instant at 1m a
  a 2

eval instant at 1m a
  a 3

eval instant at 1m h
  h {{count:1}}

eval instant at 1m limitk(1, a)
)",
                                            "some.test");
  EXPECT_EQ(report.passed, 1);
  ASSERT_EQ(report.failures.size(), 1u);
  EXPECT_EQ(report.failures[0].place, "some.test:8");
  EXPECT_EQ(report.failures[0].message, "a: a is 2, expected 3");
  ASSERT_EQ(report.skips.size(), 2u);
  EXPECT_EQ(report.skips[1].place, "some.test:14");
}

TEST(PromqlTestFile, GoesOnBehindABlockThatIsNotInTheFormat) {
  const TestFileReport report =
      RunTestText("load 1m\n  a 1+y\n  b 2\n\nevil\n\neval instant 1 + 1\n  2\n", "x.test");
  EXPECT_EQ(report.passed, 1);
  ASSERT_EQ(report.failures.size(), 2u);
  EXPECT_EQ(report.failures[0].place, "x.test:2");
  EXPECT_EQ(report.failures[0].message,
            "\"1+y\" is no value of a series (write 1, 1+2x5, _, stale)");
  EXPECT_EQ(report.failures[1].place, "x.test:5");
  EXPECT_EQ(report.failures[1].message, "\"evil\" is no command (write load, clear or eval)");
}

TEST(PromqlTestFile, WantsEveryAnnotationToBeExpectedWhereOneIsNamed) {
  const std::string text =
      "load 1m\n  a{le=\"x\"} 1 1\n\neval instant at 1m histogram_quantile(2, a)\n  expect warn ";
  EXPECT_EQ(RunTestText(text + "regex: quantile value\n", "x.test").failures.size(), 1u);
  EXPECT_EQ(RunTestText(text + "\n", "x.test").passed, 1);
  EXPECT_EQ(
      RunTestText(text + "regex: quantile value\n  expect warn regex: bucket label\n", "x.test")
          .passed,
      1);
}

}  // namespace
}  // namespace atalaya::promql
