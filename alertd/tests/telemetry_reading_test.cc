#include "alertd/collect/telemetry_reading.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace atalaya::alertd {
namespace {

constexpr std::int64_t kNow = 1'700'000'000'000;

std::string Read(std::string_view topic, std::string_view payload) {
  const Result<TelemetryReading> reading = ReadTelemetryPacket(topic, payload, kNow);
  if (!reading) return reading.error().message;
  std::string text;
  for (const auto& [metric, sample] : reading->values) {
    text += fmt::format("{}{{client=\"{}\"}} {} @{};", metric, reading->client, sample.value,
                        sample.time_ms - kNow);
  }
  return text;
}

TEST(TelemetryReading, TakesAPlainNumber) {
  EXPECT_EQ(Read("telemetry/box/load1", "0.5"), "telemetry_load1{client=\"box\"} 0.5 @0;");
  EXPECT_EQ(Read("telemetry/box/oven/heat-2", "-3\n"),
            "telemetry_oven_heat_2{client=\"box\"} -3 @0;");
}

TEST(TelemetryReading, TakesTheClientIdAsItWasBeforeItBecameALevel) {
  EXPECT_EQ(Read("telemetry/pump%2F7/load1", "1"), "telemetry_load1{client=\"pump/7\"} 1 @0;");
  EXPECT_EQ(Read("telemetry/pump 7/load1", "1"), "telemetry_load1{client=\"pump 7\"} 1 @0;");
  EXPECT_EQ(ClientOfTopic("presence/pump%2F7"), "pump/7");
  EXPECT_EQ(ClientOfTopic("presence/%FF"), "");
}

TEST(TelemetryReading, TakesAFlatObjectWithATime) {
  EXPECT_EQ(Read("telemetry/box/oven", R"({"value": 1, "on": true, "unit": "C"})"),
            "telemetry_oven_on{client=\"box\"} 1 @0;telemetry_oven{client=\"box\"} 1 @0;");
  EXPECT_EQ(Read("telemetry/box", R"({"load": 2, "time": 1700000001.5})"),
            "telemetry_load{client=\"box\"} 2 @1500;");
  EXPECT_EQ(Read("telemetry/box/a", R"({"value": 2, "time": "2023-11-14T23:13:21.25+01:00"})"),
            "telemetry_a{client=\"box\"} 2 @1250;");
}

TEST(TelemetryReading, RefusesWhatIsNoReading) {
  using testing::HasSubstr;
  EXPECT_THAT(Read("telemetry/box/a", "warm"), HasSubstr("neither a number nor a JSON object"));
  EXPECT_THAT(Read("telemetry/box/a", ""), HasSubstr("neither a number nor a JSON object"));
  EXPECT_THAT(Read("telemetry/box/a", "[1]"), HasSubstr("neither a number nor a JSON object"));
  EXPECT_THAT(Read("telemetry/box/a", R"({"b": {"c": 1}})"), HasSubstr("must be flat"));
  EXPECT_THAT(Read("telemetry/box/a", R"({"time": "noon", "b": 1})"), HasSubstr("RFC 3339"));
  EXPECT_THAT(Read("telemetry/box/a", "nan"), HasSubstr("neither a number nor a JSON object"));
  EXPECT_THAT(Read("telemetry/box/a", "inf"), HasSubstr("neither a number nor a JSON object"));
  EXPECT_THAT(Read("telemetry//a", "1"), HasSubstr("telemetry/CLIENT/NAME"));
  EXPECT_THAT(Read("telemetry/", "1"), HasSubstr("telemetry/CLIENT/NAME"));
  EXPECT_THAT(Read("telemetry/box/a", std::string(kMaxTelemetryBytes + 1, '1')),
              HasSubstr("at most"));
}

}  // namespace
}  // namespace atalaya::alertd
