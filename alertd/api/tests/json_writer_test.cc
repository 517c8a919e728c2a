#include "alertd/api/json_writer.h"

#include <gtest/gtest.h>

#include <charconv>
#include <cmath>
#include <limits>
#include <random>
#include <span>
#include <string>
#include <vector>

namespace atalaya::alertd {
namespace {

TEST(JsonWriter, PutsCommasBetween) {
  JsonWriter json;
  json.BeginObject().Field("a", "1").Key("b").BeginArray().Integer(1).Bool(true).Null().EndArray();
  json.Key("c").BeginObject().EndObject().Key("d").BeginArray().EndArray().EndObject();
  EXPECT_EQ(json.Take(), R"({"a":"1","b":[1,true,null],"c":{},"d":[]})");
}

TEST(JsonWriter, EscapesText) {
  JsonWriter json;
  json.String("\"\\\n\x01\x7f</ü\xff\xfe");
  EXPECT_EQ(json.Take(), "\"\\\"\\\\\\u000a\\u0001\\u007f</ü\xef\xbf\xbd\xef\xbf\xbd\"");
}

TEST(JsonWriter, WritesTimesInSeconds) {
  const auto time = [](std::int64_t ms) {
    JsonWriter json;
    json.Time(ms);
    return json.Take();
  };
  EXPECT_EQ(time(1'435'781'451'781), "1435781451.781");
  EXPECT_EQ(time(5000), "5");
  EXPECT_EQ(time(5), "0.005");
  EXPECT_EQ(time(-1500), "-1.500");
}

TEST(JsonWriter, WritesValuesAsPrometheusDoes) {
  using Limits = std::numeric_limits<double>;
  EXPECT_EQ(FormatSampleValue(0), "0");
  EXPECT_EQ(FormatSampleValue(-0.0), "-0");
  EXPECT_EQ(FormatSampleValue(0.1), "0.1");
  EXPECT_EQ(FormatSampleValue(123456789012), "123456789012");
  EXPECT_EQ(FormatSampleValue(1e-6), "0.000001");
  EXPECT_EQ(FormatSampleValue(1e-7), "1e-7");
  EXPECT_EQ(FormatSampleValue(1.5e-12), "1.5e-12");
  EXPECT_EQ(FormatSampleValue(1e20), "100000000000000000000");
  EXPECT_EQ(FormatSampleValue(1e21), "1e+21");
  EXPECT_EQ(FormatSampleValue(Limits::max()), "1.7976931348623157e+308");
  EXPECT_EQ(FormatSampleValue(Limits::infinity()), "+Inf");
  EXPECT_EQ(FormatSampleValue(-Limits::infinity()), "-Inf");
  EXPECT_EQ(FormatSampleValue(Limits::quiet_NaN()), "NaN");
}

TEST(JsonWriter, WritesAPointAsAPairOfTimeAndText) {
  JsonWriter json;
  json.BeginArray().Point({1'435'781'451'781, -2.5}).Point({0, 1e15}).EndArray();
  EXPECT_EQ(json.Take(), R"([[1435781451.781,"-2.5"],[0,"1000000000000000"]])");
}

TEST(JsonWriter, WritesManyPointsAsOneByOne) {
  std::vector<telemetry::Sample> samples;
  for (int i = 0; i < 2000; ++i) samples.push_back({i * 15'000 + i % 2, i / 3 * 0.25});
  std::string one_by_one = "[";
  for (const telemetry::Sample& sample : samples) {
    JsonWriter json;
    one_by_one += (one_by_one.size() > 1 ? "," : "") + json.Point(sample).Take();
  }
  JsonWriter json;
  json.BeginArray().Points(samples);
  json.Points(std::span(samples).subspan(0, 0)).Points(samples).EndArray();
  EXPECT_EQ(json.Take(), "[" + one_by_one + "],[]," + one_by_one + "]]");
}

TEST(JsonWriter, WritesEachSeriesItsOwnTimes) {
  JsonWriter json;
  const telemetry::Sample first[] = {{1000, 1}, {3000, 1}};
  const telemetry::Sample second[] = {{0, 1}, {2000, -0.0}, {3000, 0}, {4000, 0}};
  json.BeginArray().Points(first).Points(second).EndArray();
  EXPECT_EQ(json.Take(), R"([[[1,"1"],[3,"1"]],[[0,"1"],[2,"-0"],[3,"0"],[4,"0"]]])");
}

// The quick way for few decimal places gives what the general one gives.
TEST(JsonWriter, WritesTheShortestTextOfDecimals) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 200'000; ++i) {
    const double scale = std::pow(10, static_cast<double>(random() % 6));
    const double near = static_cast<double>(random() >> (random() % 64)) / scale;
    for (const double value : {near, std::nextafter(near, 0.0), -near}) {
      if (std::abs(value) < 1e-6 || std::abs(value) >= 1e21) continue;
      char text[32];
      char* const end =
          std::to_chars(text, text + sizeof text, value, std::chars_format::fixed).ptr;
      ASSERT_EQ(FormatSampleValue(value), std::string(text, end));
    }
  }
}

TEST(JsonWriter, NumberThatIsNoneIsNull) {
  JsonWriter json;
  json.Number(std::numeric_limits<double>::quiet_NaN());
  EXPECT_EQ(json.Take(), "null");
}

}  // namespace
}  // namespace atalaya::alertd
