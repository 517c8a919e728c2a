#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "alertd/notify/time_zone.h"
#include "base/config.h"
#include "base/result.h"

namespace atalaya::alertd {

inline constexpr std::size_t kMaxTimeIntervals = 1'000;

// Both ends included, but for times, whose end is not.
struct NumberRange {
  int begin = 0;
  int end = 0;
};

// A span of wall-clock time that returns. A list that is empty takes everything; all must hold.
struct TimeInterval {
  std::vector<NumberRange> times;          // Minutes of the day; `end` up to 1440.
  std::vector<NumberRange> weekdays;       // 0 is Sunday.
  std::vector<NumberRange> days_of_month;  // 1 to 31, or -1 to -31 counted from the month's end.
  std::vector<NumberRange> months;         // 1 to 12.
  std::vector<NumberRange> years;
  TimeZone location;

  bool Contains(std::int64_t utc_ms) const;
};

// By name; a name holds while any of its intervals does.
using TimeIntervals = std::map<std::string, std::vector<TimeInterval>>;

// Reads one [[time_interval]]; several may have the same name.
//
//   name = "nights"
//   times = [{ start_time = "00:00", end_time = "06:00" }, { start_time = "22:00", end_time =
//   "24:00" }] weekdays = ["monday:friday", "sunday"] days_of_month = ["1:5", "-3:-1"] months =
//   ["january:march", "12"] years = ["2026:2028", "2030"] location = "Europe/Berlin"        #
//   default UTC
//
// Faults are noted in `table`. Source: the Alertmanager documentation, <time_interval>.
void ReadTimeInterval(ConfigTable& table, TimeIntervals& intervals);

// Those of `names` that hold at `utc_ms`. Each name must be there.
std::vector<std::string> IntervalsAt(const TimeIntervals& intervals,
                                     const std::vector<std::string>& names, std::int64_t utc_ms);

}  // namespace atalaya::alertd
