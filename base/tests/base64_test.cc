#include "base/base64.h"

#include <gtest/gtest.h>

namespace atalaya {
namespace {

// RFC 4648 section 10.
TEST(Base64, EncodesAndDecodesTheExamplesOfItsRfc) {
  const std::pair<std::string, std::string> examples[] = {{"", ""},
                                                          {"f", "Zg=="},
                                                          {"fo", "Zm8="},
                                                          {"foo", "Zm9v"},
                                                          {"foob", "Zm9vYg=="},
                                                          {"fooba", "Zm9vYmE="},
                                                          {"foobar", "Zm9vYmFy"}};
  for (const auto& [bytes, text] : examples) {
    EXPECT_EQ(EncodeBase64(bytes), text);
    EXPECT_EQ(DecodeBase64(text), bytes);
  }
}

TEST(Base64, TakesBytesOfAllValues) {
  std::string bytes;
  for (int value = 0; value < 256; ++value) bytes += static_cast<char>(value);
  EXPECT_EQ(DecodeBase64(EncodeBase64(bytes)), bytes);
}

TEST(Base64, RefusesWhatIsNoBase64) { EXPECT_EQ(DecodeBase64("Zm9v!"), std::nullopt); }

}  // namespace
}  // namespace atalaya
