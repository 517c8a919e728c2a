#include "base/stop_signal.h"

#include <gtest/gtest.h>
#include <signal.h>

namespace atalaya {
namespace {

TEST(StopSignal, TellsAStopFromAReload) {
  StopSignal stop = StopSignal::Install();
  EXPECT_EQ(stop.Take(), StopSignal::Kind::kNone);
  raise(SIGHUP);
  EXPECT_EQ(stop.Wait(), StopSignal::Kind::kReload);
  raise(SIGTERM);
  EXPECT_EQ(stop.Wait(), StopSignal::Kind::kStop);
  EXPECT_EQ(stop.Take(), StopSignal::Kind::kNone);
}

}  // namespace
}  // namespace atalaya
