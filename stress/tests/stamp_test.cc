#include "stress/stamp.h"

#include <gtest/gtest.h>

namespace atalaya::stress {
namespace {

TEST(Stamp, ReadsWhatWasWritten) {
  char bytes[kStampBytes];
  WriteStamp({7, 12, 345, 6'789, 6'800}, bytes);
  Stamp stamp;
  ASSERT_TRUE(ReadStamp(bytes, &stamp));
  EXPECT_EQ(stamp.run, 7u);
  EXPECT_EQ(stamp.publisher, 12u);
  EXPECT_EQ(stamp.sequence, 345u);
  EXPECT_EQ(stamp.intended_ns, 6'789);
  EXPECT_EQ(stamp.sent_ns, 6'800);
}

TEST(Stamp, NoticesAnyFlippedBit) {
  for (std::size_t bit = 0; bit < 8 * kStampBytes; ++bit) {
    char bytes[kStampBytes];
    WriteStamp({7, 12, 345, 6'789, 6'800}, bytes);
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << (bit % 8)));
    Stamp stamp;
    EXPECT_FALSE(ReadStamp(bytes, &stamp)) << "bit " << bit;
  }
}

TEST(Stamp, FillsPayloadsByTheSeedAlone) {
  EXPECT_EQ(MakeFilling(1, 64), MakeFilling(1, 64));
  EXPECT_NE(MakeFilling(1, 64), MakeFilling(2, 64));
}

}  // namespace
}  // namespace atalaya::stress
