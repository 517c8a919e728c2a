#include "cloud_server/acl.h"

#include <gtest/gtest.h>

namespace atalaya::cloud_server {
namespace {

Acl Read(const char* text) {
  Result<ConfigFile> file = ConfigFile::Parse(text, "acl.toml");
  EXPECT_TRUE(file) << file.error().message;
  ConfigTable root = file->Root();
  Acl acl = Acl::Read(&root);
  const Status good = file->Finish();
  EXPECT_TRUE(good) << good.error().message;
  return acl;
}

std::string Fault(const char* text) {
  Result<ConfigFile> file = ConfigFile::Parse(text, "acl.toml");
  EXPECT_TRUE(file) << file.error().message;
  ConfigTable root = file->Root();
  Acl::Read(&root);
  const Status good = file->Finish();
  return good ? "" : good.error().message;
}

TEST(Acl, WithoutARuleAllowsEverything) {
  const Acl acl = Read("");
  EXPECT_TRUE(acl.MayWrite({"", "c"}, "any/topic"));
  EXPECT_TRUE(acl.MayRead({"", "c"}, "#"));
  EXPECT_FALSE(acl.MayWriteByName({"", "c"}, "telemetry/other/x"));
}

TEST(Acl, RefusesWhatNoRuleLists) {
  const Acl acl = Read("[[acl]]\nuser = 'ann'\nread = ['a/#']\nwrite = ['a/b']");
  EXPECT_TRUE(acl.MayWrite({"ann", "c"}, "a/b"));
  EXPECT_FALSE(acl.MayWrite({"ann", "c"}, "a/c"));
  EXPECT_FALSE(acl.MayWrite({"bob", "c"}, "a/b"));
  EXPECT_FALSE(acl.MayWrite({"", "ann"}, "a/b"));
  EXPECT_TRUE(acl.MayRead({"ann", "c"}, "a/+/c"));
  EXPECT_FALSE(acl.MayRead({"ann", "c"}, "#"));
}

TEST(Acl, FirstRuleThatListsTheTopicDecidesAndDenyGoesFirstWithinOne) {
  const Acl acl = Read(R"(
    [[acl]]
    user = "boss"
    read = ["plant/secret/#"]
    [[acl]]
    deny = ["plant/secret/#"]
    read = ["plant/#"]
    write = ["plant/#"]
  )");
  EXPECT_TRUE(acl.MayRead({"boss", "c"}, "plant/secret/x"));
  EXPECT_FALSE(acl.MayWrite({"boss", "c"}, "plant/secret/x"));
  EXPECT_FALSE(acl.MayRead({"ann", "c"}, "plant/secret/x"));
  EXPECT_TRUE(acl.MayRead({"ann", "c"}, "plant/open/#"));
  // Part of what the filter matches is denied, so all of it is.
  EXPECT_FALSE(acl.MayRead({"ann", "c"}, "plant/#"));
  EXPECT_FALSE(acl.MayRead({"ann", "c"}, "plant/+/x"));
  EXPECT_FALSE(acl.MayWrite({"ann", "c"}, "plant/secret"));
}

TEST(Acl, TellsUsersFromAnonymousClients) {
  const Acl acl = Read(R"(
    [[acl]]
    user = ""
    read = ["public/#"]
    [[acl]]
    user = "*"
    read = ["#"]
    [[acl]]
    client = "gate-*"
    write = ["gates/%c"]
  )");
  EXPECT_TRUE(acl.MayRead({"", "c"}, "public/x"));
  EXPECT_FALSE(acl.MayRead({"", "c"}, "other"));
  EXPECT_TRUE(acl.MayRead({"ann", "c"}, "other"));
  EXPECT_TRUE(acl.MayWrite({"", "gate-7"}, "gates/gate-7"));
  EXPECT_FALSE(acl.MayWrite({"", "gate-7"}, "gates/gate-8"));
  EXPECT_FALSE(acl.MayWrite({"", "door"}, "gates/door"));
}

TEST(Acl, FillsInClientAndUserInBothSpellingsButNeverAsWildcards) {
  const Acl acl = Read("[[acl]]\nwrite = ['c/%c/#', 'u/%u/x']\nread = ['c/%c/#', '%c/#']");
  EXPECT_TRUE(acl.MayWrite({"", "sensor:1"}, "c/sensor:1/x"));
  EXPECT_TRUE(acl.MayWrite({"", "sensor:1"}, "c/sensor%3A1/x"));
  EXPECT_TRUE(acl.MayWrite({"", "a/b"}, "c/a%2Fb/x"));
  EXPECT_FALSE(acl.MayWrite({"", "a/b"}, "c/a/b"));
  EXPECT_FALSE(acl.MayWrite({"", "+"}, "c/other/x"));
  EXPECT_FALSE(acl.MayWrite({"", "#"}, "c/other/x"));
  EXPECT_TRUE(acl.MayWrite({"ann", "c1"}, "u/ann/x"));
  EXPECT_FALSE(acl.MayWrite({"", "c1"}, "u//x"));
  EXPECT_FALSE(acl.MayRead({"", "#"}, "c/other/x"));
  EXPECT_FALSE(acl.MayRead({"", "$SYS"}, "$SYS/#"));
  // A client that bears the name of a first level does not name it thereby.
  EXPECT_FALSE(Read("[[acl]]\nwrite = ['%c/#', '#', '+/#']")
                   .MayWriteByName({"", "telemetry"}, "telemetry/x/y"));
  EXPECT_TRUE(Read("[[acl]]\nwrite = ['telemetry/#']").MayWriteByName({"", "c"}, "telemetry/x/y"));
}

TEST(Acl, LeavesDollarTopicsToRulesThatNameThem) {
  const Acl acl =
      Read("[[acl]]\nread = ['#']\nwrite = ['#']\n[[acl]]\nuser='boss'\nread=['$SYS/#']");
  EXPECT_FALSE(acl.MayRead({"ann", "c"}, "$SYS/broker/#"));
  EXPECT_TRUE(acl.MayRead({"boss", "c"}, "$SYS/broker/#"));
  EXPECT_TRUE(acl.MayRead({"ann", "c"}, "#"));
  EXPECT_FALSE(acl.MayWrite({"ann", "c"}, "$control/x"));
}

TEST(Acl, NamesThePlaceOfEachFault) {
  EXPECT_EQ(Fault("[[acl]]\nread = ['a/#/b']"),
            "acl.toml:2:8: read: \"a/#/b\" is not a topic filter (write plant/%c/#)");
  EXPECT_EQ(Fault("[[acl]]\nwrite = ['$share/g/a']"),
            "acl.toml:2:9: write: \"$share/g/a\": name the topics without $share/GROUP/");
  EXPECT_EQ(Fault("[[acl]]\nuser = 'ann'"),
            "acl.toml:1:1: lists no topics: give read, write or deny, as in read = [\"plant/#\"]");
  EXPECT_NE(Fault("[[acl]]\nreed = ['a']\nread = ['b']").find("unknown key \"reed\""),
            std::string::npos);
}

TEST(FitsPattern, TakesStarsForAnyCharacters) {
  EXPECT_TRUE(FitsPattern("a*c*", "abcd"));
  EXPECT_TRUE(FitsPattern("*", "x"));
  EXPECT_TRUE(FitsPattern("**x", "aax"));
  EXPECT_FALSE(FitsPattern("a*b", "a"));
  EXPECT_FALSE(FitsPattern("a", "ab"));
  EXPECT_FALSE(FitsPattern("", "a"));
  EXPECT_TRUE(FitsPattern("*ab*ab", "abaab"));
}

TEST(Covers, HoldsWhereEveryTopicOfTheFilterIsMatched) {
  EXPECT_TRUE(Covers("#", "a/b"));
  EXPECT_TRUE(Covers("#", "#"));
  EXPECT_TRUE(Covers("a/#", "a"));
  EXPECT_TRUE(Covers("a/#", "a/#"));
  EXPECT_TRUE(Covers("a/+/c", "a/+/c"));
  EXPECT_TRUE(Covers("a/+/c", "a/b/c"));
  EXPECT_FALSE(Covers("a/+", "a/#"));
  EXPECT_FALSE(Covers("a/+", "a"));
  EXPECT_FALSE(Covers("a/b", "a/+"));
  EXPECT_FALSE(Covers("a/b", "a/b/c"));
  EXPECT_FALSE(Covers("#", "$SYS/#"));
  EXPECT_FALSE(Covers("+/x", "$SYS/x"));
  EXPECT_TRUE(Covers("+/x", "+/x"));
}

TEST(Overlap, HoldsWhereATopicIsMatchedByBoth) {
  EXPECT_TRUE(Overlap("a/+/c", "a/b/+"));
  EXPECT_TRUE(Overlap("a/b/#", "#"));
  EXPECT_TRUE(Overlap("a/#", "a"));
  EXPECT_TRUE(Overlap("a", "a/#"));
  EXPECT_TRUE(Overlap("+/b/#", "a/+"));
  EXPECT_FALSE(Overlap("a/b", "a/c"));
  EXPECT_FALSE(Overlap("a/+", "a"));
  EXPECT_FALSE(Overlap("a/+/c", "a/b"));
  EXPECT_FALSE(Overlap("#", "$SYS/x"));
  EXPECT_FALSE(Overlap("$SYS/#", "+/x"));
}

}  // namespace
}  // namespace atalaya::cloud_server
