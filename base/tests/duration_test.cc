#include "base/duration.h"

#include <gtest/gtest.h>

namespace atalaya {
namespace {

using std::chrono::milliseconds;

TEST(Duration, ReadsPrometheusForms) {
  EXPECT_EQ(*ParseDuration("0"), milliseconds(0));
  EXPECT_EQ(*ParseDuration("250ms"), milliseconds(250));
  EXPECT_EQ(*ParseDuration("1h30m"), milliseconds(5'400'000));
  EXPECT_EQ(*ParseDuration("1y2w3d"), milliseconds((365LL + 14 + 3) * 86'400'000));
}

TEST(Duration, RefusesWhatIsNone) {
  for (const char* text :
       {"", "5x", "5", "-5m", "m", "5m5h", "5m5m", "1.5h", "99999999999999999y", " 5m"}) {
    EXPECT_FALSE(ParseDuration(text)) << text;
  }
}

TEST(Duration, FormatsTheShortestForm) {
  EXPECT_EQ(FormatDuration(milliseconds(90'000)), "1m30s");
  EXPECT_EQ(FormatDuration(milliseconds(0)), "0s");
  EXPECT_EQ(FormatDuration(milliseconds(90LL * 86'400'000)), "90d");
  EXPECT_EQ(FormatDuration(milliseconds(7LL * 86'400'000)), "1w");
}

TEST(Size, ReadsDecimalAndBinaryUnits) {
  EXPECT_EQ(*ParseSize("512"), 512u);
  EXPECT_EQ(*ParseSize("10MB"), 10'000'000u);
  EXPECT_EQ(*ParseSize("1.5GiB"), 1'610'612'736u);
  EXPECT_EQ(*ParseSize("2 KiB"), 2048u);
  for (const char* text : {"", "x", "-1", "1QB", "1e300TB", "nan"})
    EXPECT_FALSE(ParseSize(text)) << text;
}

}  // namespace
}  // namespace atalaya
