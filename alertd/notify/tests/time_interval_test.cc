#include "alertd/notify/time_interval.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace atalaya::alertd {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

Result<TimeIntervals> Parse(const std::string& keys) {
  Result<ConfigFile> file = ConfigFile::Parse("[[time_interval]]\nname = 'x'\n" + keys, "t.toml");
  if (!file) return Forward(file.error());
  TimeIntervals intervals;
  for (ConfigTable& table : file->Root().Tables("time_interval"))
    ReadTimeInterval(table, intervals);
  if (Status good = file->Finish(); !good) return Forward(good.error());
  return intervals;
}

std::int64_t Utc(const std::string& time) {
  std::tm parts{};
  EXPECT_NE(strptime(time.c_str(), "%Y-%m-%dT%H:%M:%S", &parts), nullptr);
  return std::int64_t{timegm(&parts)} * 1000;
}

bool Holds(const std::string& keys, const std::string& utc) {
  const Result<TimeIntervals> intervals = Parse(keys);
  EXPECT_TRUE(intervals) << intervals.error().message;
  return intervals && !IntervalsAt(*intervals, {"x"}, Utc(utc)).empty();
}

std::string FaultOf(const std::string& keys) {
  const Result<TimeIntervals> intervals = Parse(keys);
  return intervals ? "" : intervals.error().message;
}

TEST(TimeInterval, WithoutKeysAlwaysHolds) { EXPECT_TRUE(Holds("", "2026-11-27T03:00:00")); }

TEST(TimeInterval, TimesEndBeforeTheirEnd) {
  const std::string nights =
      "times = [{ start_time = '00:00', end_time = '06:00' }, { start_time = '22:00', end_time = "
      "'24:00' }]";
  EXPECT_TRUE(Holds(nights, "2026-11-27T00:00:00"));
  EXPECT_TRUE(Holds(nights, "2026-11-27T05:59:59"));
  EXPECT_FALSE(Holds(nights, "2026-11-27T06:00:00"));
  EXPECT_FALSE(Holds(nights, "2026-11-27T21:59:59"));
  EXPECT_TRUE(Holds(nights, "2026-11-27T23:59:59"));
}

TEST(TimeInterval, WeekdaysIncludeBothEnds) {
  const std::string days = "weekdays = ['monday:thursday', 'saturday']";
  EXPECT_TRUE(Holds(days, "2026-11-26T12:00:00"));
  EXPECT_FALSE(Holds(days, "2026-11-27T12:00:00"));  // A Friday.
  EXPECT_TRUE(Holds(days, "2026-11-28T12:00:00"));
  EXPECT_FALSE(Holds(days, "2026-11-29T12:00:00"));
}

TEST(TimeInterval, DaysCountFromEitherEndOfTheMonth) {
  EXPECT_TRUE(Holds("days_of_month = ['-1']", "2028-02-29T12:00:00"));
  EXPECT_FALSE(Holds("days_of_month = ['-1']", "2028-02-28T12:00:00"));
  EXPECT_TRUE(Holds("days_of_month = ['-1']", "2026-02-28T12:00:00"));
  EXPECT_TRUE(Holds("days_of_month = ['-3:-1', '1:2']", "2026-11-28T12:00:00"));
  EXPECT_FALSE(Holds("days_of_month = ['-3:-1', '1:2']", "2026-11-27T12:00:00"));
  EXPECT_TRUE(Holds("days_of_month = ['20:-2']", "2026-11-29T12:00:00"));
  EXPECT_FALSE(Holds("days_of_month = ['20:-2']", "2026-11-30T12:00:00"));
  EXPECT_FALSE(Holds("days_of_month = ['31']", "2026-11-30T12:00:00"));
}

TEST(TimeInterval, MonthsAndYearsMustHoldToo) {
  const std::string keys = "months = ['january:march', '11']\nyears = ['2026:2027', '2030']";
  EXPECT_TRUE(Holds(keys, "2026-11-01T00:00:00"));
  EXPECT_TRUE(Holds(keys, "2030-02-01T00:00:00"));
  EXPECT_FALSE(Holds(keys, "2026-12-01T00:00:00"));
  EXPECT_FALSE(Holds(keys, "2028-11-01T00:00:00"));
}

// Summer time begins on 2026-03-29 in Berlin.
TEST(TimeInterval, FollowsTheTimeZone) {
  const std::string keys =
      "location = 'Europe/Berlin'\ntimes = [{ start_time = '08:00', end_time = '09:00' }]";
  EXPECT_TRUE(Holds(keys, "2026-03-28T07:30:00"));
  EXPECT_FALSE(Holds(keys, "2026-03-28T06:30:00"));
  EXPECT_TRUE(Holds(keys, "2026-03-29T06:30:00"));
  EXPECT_FALSE(Holds(keys, "2026-03-29T07:30:00"));
  EXPECT_TRUE(
      Holds("location = 'Pacific/Auckland'\nweekdays = ['saturday']", "2026-11-27T12:00:00"));
}

TEST(TimeInterval, AnyIntervalOfTheNameCounts) {
  const Result<TimeIntervals> intervals =
      Parse("weekdays = ['monday']\n[[time_interval]]\nname = 'x'\nweekdays = ['friday']\n");
  ASSERT_TRUE(intervals);
  EXPECT_THAT(IntervalsAt(*intervals, {"x"}, Utc("2026-11-27T12:00:00")), ElementsAre("x"));
  EXPECT_THAT(IntervalsAt(*intervals, {"x"}, Utc("2026-11-26T12:00:00")), IsEmpty());
}

TEST(TimeInterval, NamesWhatIsWrong) {
  EXPECT_THAT(FaultOf("location = 'Europe/Atlantis'"),
              HasSubstr("no time zone \"Europe/Atlantis\""));
  EXPECT_THAT(FaultOf("location = '../../etc/passwd'"), HasSubstr("no time zone"));
  EXPECT_THAT(FaultOf("weekdays = ['friday:monday']"), HasSubstr("ends before it begins"));
  EXPECT_THAT(FaultOf("weekdays = ['1']"), HasSubstr("is not a day of the week"));
  EXPECT_THAT(FaultOf("days_of_month = ['0']"), HasSubstr("is not a day of the month"));
  EXPECT_THAT(FaultOf("days_of_month = ['-1:5']"), HasSubstr("ends before it begins"));
  EXPECT_THAT(FaultOf("months = ['13']"), HasSubstr("is not a month"));
  EXPECT_THAT(FaultOf("times = [{ start_time = '9:00', end_time = '10:00' }]"),
              HasSubstr("\"9:00\" is not a time of day"));
  EXPECT_THAT(FaultOf("times = [{ start_time = '22:00', end_time = '06:00' }]"),
              HasSubstr("must be later"));
}

}  // namespace
}  // namespace atalaya::alertd
