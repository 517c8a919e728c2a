#include "cloud_client/backoff.h"

#include <gtest/gtest.h>

namespace atalaya::cloud_client {
namespace {

using std::chrono::milliseconds;

TEST(Backoff, DoublesUpToTheLongest) {
  Backoff backoff(milliseconds(500), milliseconds(3000), [] { return 0.999999; });
  EXPECT_EQ(backoff.Next(), milliseconds(499));
  EXPECT_EQ(backoff.Next(), milliseconds(999));
  EXPECT_EQ(backoff.Next(), milliseconds(1999));
  EXPECT_EQ(backoff.Next(), milliseconds(2999));
  EXPECT_EQ(backoff.Next(), milliseconds(2999));
}

TEST(Backoff, DrawsFromTheUpperHalf) {
  double drawn = 0;
  Backoff backoff(milliseconds(1000), milliseconds(1000), [&] { return drawn; });
  EXPECT_EQ(backoff.Next(), milliseconds(500));
  drawn = 0.5;
  EXPECT_EQ(backoff.Next(), milliseconds(750));
}

TEST(Backoff, IsShortAgainAfterReset) {
  Backoff backoff(milliseconds(500), milliseconds(10'000), [] { return 0.0; });
  backoff.Next();
  backoff.Next();
  backoff.Reset();
  EXPECT_EQ(backoff.Next(), milliseconds(250));
}

}  // namespace
}  // namespace atalaya::cloud_client
