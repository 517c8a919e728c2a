#include "base/crc32c.h"

#include <gtest/gtest.h>

#include <string>

namespace atalaya {
namespace {

std::span<const std::byte> Bytes(const std::string& text) { return std::as_bytes(std::span(text)); }

// The values of RFC 3720, appendix B.4.
TEST(Crc32c, GivesTheValuesOfTheStandard) {
  EXPECT_EQ(Crc32c(Bytes(std::string(32, '\0'))), 0x8A9136AAu);
  EXPECT_EQ(Crc32c(Bytes(std::string(32, '\xFF'))), 0x62A8AB43u);
  EXPECT_EQ(Crc32c(Bytes("123456789")), 0xE3069283u);
}

TEST(Crc32c, IsTheSameInSoftwareAndInParts) {
  std::string text;
  for (int i = 0; i < 300; ++i) {
    text.push_back(static_cast<char>(i * 31));
    ASSERT_EQ(Crc32c(Bytes(text)), Crc32cPortable(Bytes(text)));
    const std::string head = text.substr(0, text.size() / 3);
    const std::string tail = text.substr(head.size());
    ASSERT_EQ(Crc32c(Bytes(tail), Crc32c(Bytes(head))), Crc32c(Bytes(text)));
  }
}

}  // namespace
}  // namespace atalaya
