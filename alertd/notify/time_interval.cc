#include "alertd/notify/time_interval.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

namespace atalaya::alertd {
namespace {

constexpr int kMinutesOfDay = 24 * 60;
constexpr int kLastYear = 9'999;
constexpr std::array<std::string_view, 7> kWeekdays = {"sunday",   "monday", "tuesday", "wednesday",
                                                       "thursday", "friday", "saturday"};
constexpr std::array<std::string_view, 12> kMonths = {
    "january", "february", "march",     "april",   "may",      "june",
    "july",    "august",   "september", "october", "november", "december"};

std::optional<int> WholeNumber(std::string_view text) {
  int number = 0;
  const char* const end = text.data() + text.size();
  const auto [last, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || last != end) return std::nullopt;
  return number;
}

template <std::size_t kCount>
std::optional<int> IndexOf(const std::array<std::string_view, kCount>& names,
                           std::string_view name) {
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end()) return std::nullopt;
  return static_cast<int>(found - names.begin());
}

using ValueReader = std::optional<int> (*)(std::string_view);

std::optional<int> ReadWeekday(std::string_view text) { return IndexOf(kWeekdays, text); }

std::optional<int> ReadMonthDay(std::string_view text) {
  const std::optional<int> day = WholeNumber(text);
  return day && *day != 0 && *day >= -31 && *day <= 31 ? day : std::nullopt;
}

std::optional<int> ReadMonth(std::string_view text) {
  if (const std::optional<int> named = IndexOf(kMonths, text)) return *named + 1;
  const std::optional<int> month = WholeNumber(text);
  return month && *month >= 1 && *month <= 12 ? month : std::nullopt;
}

std::optional<int> ReadYear(std::string_view text) {
  const std::optional<int> year = WholeNumber(text);
  return year && *year >= 0 && *year <= kLastYear ? year : std::nullopt;
}

// Minutes of "HH:MM", up to "24:00".
std::optional<int> ReadTimeOfDay(std::string_view text) {
  if (text.size() != 5 || text[2] != ':') return std::nullopt;
  const std::optional<int> hours = WholeNumber(text.substr(0, 2));
  const std::optional<int> minutes = WholeNumber(text.substr(3));
  if (!hours || !minutes || *hours < 0 || *minutes < 0 || *minutes > 59) return std::nullopt;
  const int all = *hours * 60 + *minutes;
  return all <= kMinutesOfDay ? std::optional(all) : std::nullopt;
}

// Days counted from both ends of the month can only be compared within one.
bool Rises(const NumberRange& range) {
  if (range.begin > 0 && range.end < 0) return true;
  return range.begin <= range.end && (range.begin < 0) == (range.end < 0);
}

// "a", or "a:b".
std::vector<NumberRange> ReadRanges(ConfigTable& table, std::string_view key, ValueReader read,
                                    std::string_view expected) {
  std::vector<NumberRange> ranges;
  for (const std::string& text : table.Strings(key)) {
    const std::size_t colon = text.find(':');
    const std::optional<int> begin = read(std::string_view(text).substr(0, colon));
    const std::optional<int> end =
        colon == std::string::npos ? begin : read(std::string_view(text).substr(colon + 1));
    if (!begin || !end) {
      table.Fault(key, fmt::format("\"{}\" is not {}", text, expected));
    } else if (!Rises({*begin, *end})) {
      table.Fault(key, fmt::format("\"{}\" ends before it begins", text));
    } else {
      ranges.push_back({*begin, *end});
    }
  }
  return ranges;
}

std::vector<NumberRange> ReadTimes(ConfigTable& table) {
  std::vector<NumberRange> times;
  for (ConfigTable& each : table.Tables("times")) {
    NumberRange range;
    for (const auto& [key, to] :
         {std::pair("start_time", &range.begin), std::pair("end_time", &range.end)}) {
      const std::string text = each.RequiredString(key);
      const std::optional<int> minute = ReadTimeOfDay(text);
      if (!minute && each.Has(key))
        each.Fault(key, fmt::format("\"{}\" is not a time of day (write 08:30, or 24:00)", text));
      *to = minute.value_or(0);
    }
    if (each.Has("start_time") && each.Has("end_time") && range.begin >= range.end)
      each.Fault("end_time", "must be later than start_time; a span over midnight is two");
    times.push_back(range);
  }
  return times;
}

bool AnyHolds(const std::vector<NumberRange>& ranges, int value) {
  return ranges.empty() || std::any_of(ranges.begin(), ranges.end(), [value](const auto& range) {
           return value >= range.begin && value <= range.end;
         });
}

bool AnyDayHolds(const std::vector<NumberRange>& ranges, const LocalTime& time) {
  const auto day = [&](int counted) { return counted < 0 ? time.last_day + counted + 1 : counted; };
  return ranges.empty() || std::any_of(ranges.begin(), ranges.end(), [&](const auto& range) {
           return time.day >= day(range.begin) && time.day <= day(range.end);
         });
}

}  // namespace

bool TimeInterval::Contains(std::int64_t utc_ms) const {
  const LocalTime time = location.At(utc_ms);
  const bool in_times =
      times.empty() || std::any_of(times.begin(), times.end(), [&](const NumberRange& range) {
        return time.minute >= range.begin && time.minute < range.end;
      });
  return in_times && AnyHolds(weekdays, time.weekday) && AnyDayHolds(days_of_month, time) &&
         AnyHolds(months, time.month) && AnyHolds(years, time.year);
}

void ReadTimeInterval(ConfigTable& table, TimeIntervals& intervals) {
  const std::string name = table.RequiredString("name");
  TimeInterval interval;
  interval.times = ReadTimes(table);
  interval.weekdays = ReadRanges(table, "weekdays", ReadWeekday,
                                 "a day of the week (write monday, or monday:friday)");
  interval.days_of_month = ReadRanges(table, "days_of_month", ReadMonthDay,
                                      "a day of the month (write 1:5, or -1 for the last)");
  interval.months = ReadRanges(table, "months", ReadMonth, "a month (write march, or 3:5)");
  interval.years = ReadRanges(table, "years", ReadYear, "a year (write 2026, or 2026:2028)");
  if (table.Has("location")) {
    const Result<TimeZone> zone = TimeZone::Find(table.String("location"));
    if (zone) {
      interval.location = *zone;
    } else {
      table.Fault("location", zone.error().message);
    }
  }
  intervals[name].push_back(std::move(interval));
}

std::vector<std::string> IntervalsAt(const TimeIntervals& intervals,
                                     const std::vector<std::string>& names, std::int64_t utc_ms) {
  std::vector<std::string> holding;
  for (const std::string& name : names) {
    const std::vector<TimeInterval>& spans = intervals.at(name);
    if (std::any_of(spans.begin(), spans.end(),
                    [utc_ms](const TimeInterval& span) { return span.Contains(utc_ms); }))
      holding.push_back(name);
  }
  return holding;
}

}  // namespace atalaya::alertd
