#include "base/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace atalaya {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;

ConfigFile ParseOrDie(std::string_view text) {
  Result<ConfigFile> file = ConfigFile::Parse(text, "test.toml");
  EXPECT_TRUE(file) << file.error().message;
  return std::move(*file);
}

TEST(Config, ReadsEveryKindOfValue) {
  ConfigFile file = ParseOrDie(R"(
    name = "a"
    port = 7
    share = 0.5
    on = true
    every = "1m30s"
    room = "2KiB"
    tags = ["x", "y"]
    labels = { severity = "page" }
    [[rule]]
    alert = "Down"
  )");
  ConfigTable root = file.Root();
  EXPECT_EQ(root.String("name"), "a");
  EXPECT_EQ(root.Integer("port", 0, 0, 10), 7);
  EXPECT_EQ(root.Number("share", 0), 0.5);
  EXPECT_TRUE(root.Bool("on", false));
  EXPECT_EQ(root.Duration("every", milliseconds(0)), milliseconds(90'000));
  EXPECT_EQ(root.Size("room", 0), 2048u);
  EXPECT_EQ(root.Strings("tags"), (std::vector<std::string>{"x", "y"}));
  EXPECT_EQ(root.StringMap("labels").at("severity"), "page");
  ASSERT_EQ(root.Tables("rule").size(), 1u);
  EXPECT_EQ(root.Tables("rule")[0].String("alert"), "Down");
  EXPECT_TRUE(file.Finish());
}

TEST(Config, NamesPlaceAndExpectationOfEveryFault) {
  ConfigFile file = ParseOrDie("every = \"5x\"\nport = 99\nname = 3\n");
  ConfigTable root = file.Root();
  root.Duration("every", milliseconds(0));
  root.Integer("port", 1, 1, 10);
  root.String("name");
  EXPECT_EQ(file.Finish().error().message,
            "test.toml:1:9: every: \"5x\" is not a duration (write 30s, 5m, 2h or 1d)\n"
            "test.toml:2:8: port: 99 is out of range (1 to 10)\n"
            "test.toml:3:8: name: expected a string");
}

TEST(Config, NamesThePlaceWithinAString) {
  ConfigFile file = ParseOrDie(
      "a = 'é = )'\n"
      "b = \"\"\"\n  one\n  two )\n\"\"\"\n"
      "c = \"tab\\t)\"\n"
      "d = [1]\n");
  ConfigTable root = file.Root();
  for (const char* key : {"a", "b", "c"}) root.String(key);
  root.Strings("d");
  root.FaultWithin("a", "1:6: odd");  // In bytes.
  root.FaultWithin("b", "2:7: odd");
  root.FaultWithin("b", "as a whole");
  root.FaultWithin("c", "1:5: behind an escape");
  EXPECT_EQ(file.Finish().error().message,
            "test.toml:1:10: a: odd\n"
            "test.toml:2:5: b: as a whole\n"
            "test.toml:4:7: b: odd\n"
            "test.toml:6:5: c: 1:5: behind an escape\n"
            "test.toml:7:6: d: expected a string");
}

TEST(Config, SuggestsTheNearestKnownKey) {
  ConfigFile file = ParseOrDie("[[rule]]\nalert = \"Disk\"\nservity = \"page\"\n");
  for (ConfigTable& rule : file.Root().Tables("rule")) {
    rule.String("alert");
    rule.String("severity");
  }
  EXPECT_EQ(
      file.Finish().error().message,
      "test.toml:3:1: unknown key \"servity\" in [[rule]] \"Disk\"; did you mean \"severity\"?");
}

TEST(Config, NamesAnUnknownTable) {
  ConfigFile file = ParseOrDie("[htpp]\nlisten = \"x\"\n");
  file.Root().Table("http").String("listen");
  EXPECT_THAT(file.Finish().error().message,
              HasSubstr("unknown key \"htpp\"; did you mean \"http\"?"));
}

TEST(Config, NamesThePlaceOfBrokenToml) {
  const Result<ConfigFile> file = ConfigFile::Parse("a = \n", "test.toml");
  ASSERT_FALSE(file);
  EXPECT_THAT(file.error().message, HasSubstr("test.toml:1:"));
}

TEST(Config, RequiredStringMustBeThere) {
  ConfigFile file = ParseOrDie("[http]\n");
  file.Root().Table("http").RequiredString("listen");
  EXPECT_EQ(file.Finish().error().message, "test.toml:1:1: [http]: \"listen\" is missing");
}

}  // namespace
}  // namespace atalaya
