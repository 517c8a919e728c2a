#include "mqtt/client_level.h"

#include <gtest/gtest.h>

#include "mqtt/topic.h"

namespace atalaya::mqtt {
namespace {

TEST(ClientLevel, EncodesAllButUnreservedBytes) {
  EXPECT_EQ(EncodeClientId("Pump-7_a.b~"), "Pump-7_a.b~");
  EXPECT_EQ(EncodeClientId("a/b+c#d%e"), "a%2Fb%2Bc%23d%25e");
  EXPECT_EQ(EncodeClientId("ü"), "%C3%BC");
}

TEST(ClientLevel, IsOneValidLevelWhateverTheIdAndComesBack) {
  for (int byte = 1; byte < 256; ++byte) {
    const std::string id = std::string("x") + static_cast<char>(byte) + "7f";
    const std::string level = EncodeClientId(id);
    EXPECT_TRUE(IsValidTopicName(level)) << byte;
    EXPECT_EQ(level.find('/'), std::string::npos) << byte;
    EXPECT_EQ(DecodeClientId(level), id);
    EXPECT_TRUE(LevelIsClient(level, id));
  }
}

TEST(ClientLevel, AcceptsFreerSpellingsOfTheSameId) {
  EXPECT_TRUE(LevelIsClient("sensor:1", "sensor:1"));
  EXPECT_TRUE(LevelIsClient("sensor%3a1", "sensor:1"));
  EXPECT_TRUE(LevelIsClient("50%", "50%"));
  EXPECT_FALSE(LevelIsClient("sensor:1x", "sensor:1"));
  EXPECT_FALSE(LevelIsClient("sensor:", "sensor:1"));
  EXPECT_FALSE(LevelIsClient("", "sensor:1"));
}

TEST(ClientLevel, NeverLetsOneIdSpeakForAnother) {
  // A client may call itself "a%2Fb"; the level of that spelling is that of "a/b".
  EXPECT_FALSE(LevelIsClient("a%2Fb", "a%2Fb"));
  EXPECT_TRUE(LevelIsClient("a%2Fb", "a/b"));
  EXPECT_TRUE(LevelIsClient("a%252Fb", "a%2Fb"));
}

}  // namespace
}  // namespace atalaya::mqtt
