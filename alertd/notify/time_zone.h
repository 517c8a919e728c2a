#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"

namespace atalaya::alertd {

// What a clock on the wall shows.
struct LocalTime {
  int year = 1970;
  int month = 1;      // 1 to 12.
  int day = 1;        // Of the month, 1 to 31.
  int last_day = 31;  // Of that month.
  int weekday = 4;    // 0 is Sunday.
  int minute = 0;     // Of the day, 0 to 1439.
};

// A time zone of the system's database (tzdata). Threads: any.
class TimeZone {
 public:
  TimeZone() = default;  // UTC.

  // "Europe/Berlin", "UTC", or "Local" for the machine's own. kNotFound where there is none of that
  // name; kIo where the system has no database.
  static Result<TimeZone> Find(const std::string& name);

  LocalTime At(std::int64_t utc_ms) const;

 private:
  const void* zone_ = nullptr;  // A date::time_zone, which lives as long as the program; null: UTC.
};

}  // namespace atalaya::alertd
