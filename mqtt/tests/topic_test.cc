#include "mqtt/topic.h"

#include <gtest/gtest.h>

#include <string>

namespace atalaya::mqtt {
namespace {

using namespace std::string_view_literals;

TEST(Utf8, TakesTextOfAnyScript) {
  EXPECT_TRUE(IsValidUtf8(""));
  EXPECT_TRUE(IsValidUtf8("telemetry/box-7/température"));
  EXPECT_TRUE(IsValidUtf8("\xEF\xBB\xBF is kept"));  // U+FEFF is a character like any other.
  EXPECT_TRUE(IsValidUtf8("\xF0\x9F\x97\xBC"));
}

TEST(Utf8, RefusesIllFormedSequences) {
  for (const std::string_view bad :
       {"\x80"sv, "\xC1\xBF"sv, "\xC3"sv, "\xE0\x80\x80"sv, "\xED\xA0\x80"sv, "\xF0\x80\x80\x80"sv,
        "\xF4\x90\x80\x80"sv, "\xF5\x80\x80\x80"sv, "twelve bytes\xE2\x82"sv}) {
    EXPECT_FALSE(IsValidUtf8(bad)) << testing::PrintToString(bad);
  }
}

TEST(Utf8, RefusesControlAndNoncharactersAtEveryOffset) {
  for (std::size_t offset = 0; offset < 17; ++offset) {
    for (const std::string_view bad :
         {"\0"sv, "\x01"sv, "\x1F"sv, "\x7F"sv, "\xC2\x80"sv, "\xC2\x9F"sv, "\xEF\xBF\xBF"sv,
          "\xEF\xB7\x90"sv, "\xF0\x9F\xBF\xBE"sv}) {
      const std::string text = std::string(offset, 'a') + std::string(bad) + "tail of the text";
      EXPECT_FALSE(IsValidUtf8(text)) << testing::PrintToString(text);
    }
  }
}

TEST(TopicName, HasNoWildcards) {
  EXPECT_TRUE(IsValidTopicName("/"));
  EXPECT_TRUE(IsValidTopicName("a//b "));
  EXPECT_FALSE(IsValidTopicName(""));
  EXPECT_FALSE(IsValidTopicName("a/+"));
  EXPECT_FALSE(IsValidTopicName("a#"));
  EXPECT_TRUE(IsValidTopicName(std::string(kMaxTopicBytes, 'a')));
  EXPECT_FALSE(IsValidTopicName(std::string(kMaxTopicBytes + 1, 'a')));
}

TEST(TopicFilter, HasWildcardsAsWholeLevelsOnly) {
  for (const char* good : {"#", "+", "/", "a/#", "+/+", "a/+/b", "+/#", "/+", "$SYS/#", "a//"}) {
    EXPECT_TRUE(IsValidTopicFilter(good)) << good;
  }
  for (const char* bad : {"", "a#", "a/#/b", "a+", "+a", "a/b+/c", "##", "#/", "a/#+"}) {
    EXPECT_FALSE(IsValidTopicFilter(bad)) << bad;
  }
}

TEST(SharedFilter, IsTakenApart) {
  EXPECT_FALSE(ParseShared("a/b").is_shared);
  const SharedFilter good = ParseShared("$share/workers/jobs/#");
  EXPECT_TRUE(good.is_valid);
  EXPECT_EQ(good.group, "workers");
  EXPECT_EQ(good.filter, "jobs/#");
  for (const char* bad : {"$share/", "$share/g", "$share/g/", "$share//a", "$share/g+/a",
                          "$share/#/a", "$share/g/a#"}) {
    EXPECT_TRUE(ParseShared(bad).is_shared) << bad;
    EXPECT_FALSE(ParseShared(bad).is_valid) << bad;
  }
}

TEST(TopicMatches, FollowsTheExamplesOfTheStandard) {  // 3.1.1, section 4.7.1.
  EXPECT_TRUE(TopicMatches("sport/tennis/player1/#", "sport/tennis/player1"));
  EXPECT_TRUE(TopicMatches("sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon"));
  EXPECT_TRUE(TopicMatches("sport/#", "sport"));
  EXPECT_TRUE(TopicMatches("#", "sport/tennis"));
  EXPECT_TRUE(TopicMatches("sport/tennis/+", "sport/tennis/player1"));
  EXPECT_FALSE(TopicMatches("sport/tennis/+", "sport/tennis/player1/ranking"));
  EXPECT_FALSE(TopicMatches("sport/+", "sport"));
  EXPECT_TRUE(TopicMatches("sport/+", "sport/"));
  EXPECT_TRUE(TopicMatches("+/+", "/finance"));
  EXPECT_TRUE(TopicMatches("/+", "/finance"));
  EXPECT_FALSE(TopicMatches("+", "/finance"));
  EXPECT_FALSE(TopicMatches("sport", "sport/tennis"));
  EXPECT_FALSE(TopicMatches("sport/tennis", "sport"));
  EXPECT_FALSE(TopicMatches("ACCOUNTS", "Accounts"));
}

TEST(TopicMatches, HidesDollarTopicsFromLeadingWildcards) {
  EXPECT_FALSE(TopicMatches("#", "$SYS/uptime"));
  EXPECT_FALSE(TopicMatches("+/monitor/Clients", "$SYS/monitor/Clients"));
  EXPECT_TRUE(TopicMatches("$SYS/#", "$SYS/"));
  EXPECT_TRUE(TopicMatches("$SYS/monitor/+", "$SYS/monitor/Clients"));
}

}  // namespace
}  // namespace atalaya::mqtt
