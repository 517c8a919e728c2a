#include "base/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace atalaya {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(Log, AHostileTextCannotForgeALine) {
  testing::internal::CaptureStderr();
  InitLog("program", LogLevel::kInfo);
  LogInfo("client {} connected", "a\n2026-01-01T00:00:00.000Z error program: forged");
  const std::string written = testing::internal::GetCapturedStderr();
  EXPECT_EQ(std::count(written.begin(), written.end(), '\n'), 1);
  EXPECT_THAT(written, HasSubstr(" info program: client a\\x0a2026"));
}

TEST(Log, KeepsQuietBelowItsLevel) {
  testing::internal::CaptureStderr();
  InitLog("program", LogLevel::kWarning);
  LogInfo("quiet");
  LogWarning("loud");
  const std::string written = testing::internal::GetCapturedStderr();
  EXPECT_THAT(written, Not(HasSubstr("quiet")));
  EXPECT_THAT(written, HasSubstr("loud"));
}

TEST(Log, NamesTheLevelsItTakes) {
  EXPECT_EQ(*ParseLogLevel("debug"), LogLevel::kDebug);
  EXPECT_THAT(ParseLogLevel("loud").error().message, HasSubstr("debug, info, warning or error"));
}

}  // namespace
}  // namespace atalaya
