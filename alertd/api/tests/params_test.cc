#include "alertd/api/params.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace atalaya::alertd {
namespace {

using testing::HasSubstr;

Params Query(std::string text) {
  HttpRequest request;
  request.method = "GET";
  request.query = std::move(text);
  return Params(request);
}

TEST(Params, ReadsTimes) {
  EXPECT_EQ(ParseApiTime("1435781451.781"), 1'435'781'451'781);
  EXPECT_EQ(ParseApiTime("-1"), -1000);
  EXPECT_EQ(ParseApiTime("1e3"), 1'000'000);
  EXPECT_EQ(ParseApiTime("2015-07-01T20:10:51.781Z"), 1'435'781'451'781);
  EXPECT_EQ(ParseApiTime("2015-07-01T22:10:51.781+02:00"), 1'435'781'451'781);
  EXPECT_EQ(ParseApiTime("2015-07-01t20:10:51z"), 1'435'781'451'000);
  for (const char* text :
       {"", "x", "nan", "inf", "1e300", "2015-07-01", "2015-02-30T00:00:00Z", "2015-07-01T20:10:51",
        "2015-07-01T20:10:51+02", "2015-07-01T24:10:51Z", "2015-07-01T20:10:51Zx", "5 "}) {
    EXPECT_FALSE(ParseApiTime(text)) << text;
  }
}

TEST(Params, ReadsSteps) {
  EXPECT_EQ(*Query("step=15").RequiredDuration("step"), 15'000);
  EXPECT_EQ(*Query("step=0.5").RequiredDuration("step"), 500);
  EXPECT_EQ(*Query("step=1m").RequiredDuration("step"), 60'000);
  for (const char* text : {"step=0", "step=-1", "step=x", "step=", "step=1e300", "step=0.0001"}) {
    EXPECT_FALSE(Query(text).RequiredDuration("step")) << text;
  }
}

TEST(Params, ReadsFormsOfPosts) {
  HttpRequest request;
  request.method = "POST";
  request.query = "a=1";
  request.body = "query=up%7Bjob%3D%22x%22%7D&a=2";
  const Params params(request);
  EXPECT_EQ(params.Text("query"), "up{job=\"x\"}");
  EXPECT_EQ(params.All("a"), (std::vector<std::string>{"1", "2"}));
}

TEST(Params, ReadsSelectors) {
  const auto selectors = Query("match[]=up&match%5B%5D=%7Bjob%3D~%22n.*%22%7D").Selectors();
  ASSERT_TRUE(selectors) << selectors.error().message;
  ASSERT_EQ(selectors->size(), 2u);
  EXPECT_EQ(selectors->at(1).at(0).value, "n.*");
  EXPECT_THAT(Query("match[]=up%2B1").Selectors().error().message,
              HasSubstr("not a series selector"));
  EXPECT_THAT(Query("match[]=up{").Selectors().error().message, HasSubstr("parameter \"match[]\""));
}

TEST(Params, ReadsLimits) {
  EXPECT_EQ(*Query("").Limit(), 0u);
  EXPECT_EQ(*Query("limit=7").Limit(), 7u);
  EXPECT_FALSE(Query("limit=-1").Limit());
  EXPECT_FALSE(Query("limit=x").Limit());
}

}  // namespace
}  // namespace atalaya::alertd
