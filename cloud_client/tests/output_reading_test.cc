#include "cloud_client/output_reading.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace atalaya::cloud_client {
namespace {

using testing::HasSubstr;

std::string Read(std::string_view text) {
  const Result<Reading> reading = ReadOutput("x", text);
  return reading ? reading->fields.Text() : reading.error().message;
}

TEST(ReadOutput, TakesANumber) {
  EXPECT_EQ(Read("21.5\n"), R"({"value":21.5})");
  EXPECT_EQ(Read(" -3 "), R"({"value":-3})");
  EXPECT_EQ(Read("1e3"), R"({"value":1000})");
}

TEST(ReadOutput, TakesAFlatObject) {
  EXPECT_EQ(Read(R"( { "rpm" : 1200, "name":"a\"b\u00e9\n", "on": true, "off":false, "n":null } )"),
            "{\"rpm\":1200,\"name\":\"a\\\"b\xc3\xa9\\u000a\",\"on\":1,\"off\":0}");
  EXPECT_EQ(Read("{}"), "{}");
  EXPECT_TRUE(ReadOutput("x", R"({"time":1,"v":2})")->timed);
  EXPECT_FALSE(ReadOutput("x", R"({"v":2})")->timed);
}

TEST(ReadOutput, SaysWhatIsWrong) {
  EXPECT_THAT(Read(""), HasSubstr("neither a number nor a JSON object"));
  EXPECT_THAT(Read("nan"), HasSubstr("neither a number nor a JSON object"));
  EXPECT_THAT(Read("12 rpm"), HasSubstr("\"12 rpm\" is neither"));
  EXPECT_THAT(Read(std::string(100, 'x')), HasSubstr("x...\" is neither"));
  EXPECT_THAT(Read(R"({"a":[1]})"), HasSubstr("\"a\" is no number, string"));
  EXPECT_THAT(Read(R"({"a":1)"), HasSubstr("has no } at its end"));
  EXPECT_THAT(Read(R"({"a" 1})"), HasSubstr("has no : after \"a\""));
  EXPECT_THAT(Read(R"({a:1})"), HasSubstr("has no \"name\""));
  EXPECT_THAT(Read(R"({"a":1} x)"), HasSubstr("goes on after the object"));
  EXPECT_THAT(Read("{\"a\":\"\\ud800\"}"), HasSubstr("\"a\" is no number"));
  EXPECT_THAT(Read("{\"a"), HasSubstr("has no \"name\""));
}

}  // namespace
}  // namespace atalaya::cloud_client
