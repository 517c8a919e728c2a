#include "base/gzip.h"

#include <gtest/gtest.h>

namespace atalaya {
namespace {

TEST(Gzip, GivesBackWhatItTook) {
  for (const std::string& plain : {std::string(), std::string("x"), std::string(500'000, 'a')}) {
    const std::string compressed = GzipCompress(plain);
    EXPECT_EQ(GzipDecompress(compressed, 1u << 20).value_or("?"), plain);
  }
  EXPECT_LT(GzipCompress(std::string(500'000, 'a')).size(), 5000u);
}

TEST(Gzip, RefusesWhatGrowsTooLarge) {
  const std::string bomb = GzipCompress(std::string(10'000'000, '\0'));
  const Result<std::string> refused = GzipDecompress(bomb, 1'000'000);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kLimit);
}

TEST(Gzip, RefusesWhatIsNoGzip) {
  const std::string good = GzipCompress("some text that is long enough");
  for (const std::string& bad :
       {std::string(), std::string("plain text"), good.substr(0, good.size() - 1), good + "x"}) {
    const Result<std::string> refused = GzipDecompress(bad, 1000);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::kInvalid);
  }
}

}  // namespace
}  // namespace atalaya
