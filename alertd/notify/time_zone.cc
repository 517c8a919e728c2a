#include "alertd/notify/time_zone.h"

#include <date/tz.h>

#include <chrono>
#include <stdexcept>

namespace atalaya::alertd {

Result<TimeZone> TimeZone::Find(const std::string& name) {
  TimeZone found;
  if (name == "UTC") return found;
  try {
    date::get_tzdb();
  } catch (const std::runtime_error& error) {
    return Fail(ErrorCode::kIo, "the system's time zones cannot be read ({}); is tzdata installed?",
                error.what());
  }
  try {
    const date::time_zone* const zone =
        name == "Local" ? date::current_zone() : date::locate_zone(name);
    zone->get_info(
        std::chrono::system_clock::now());  // Reads the zone's file, so that At does not.
    found.zone_ = zone;
  } catch (const std::runtime_error&) {
    return Fail(ErrorCode::kNotFound, "no time zone \"{}\" (write Europe/Berlin, UTC or Local)",
                name);
  }
  return found;
}

LocalTime TimeZone::At(std::int64_t utc_ms) const {
  const date::sys_time<std::chrono::milliseconds> utc{std::chrono::milliseconds(utc_ms)};
  std::chrono::seconds offset{0};
  if (zone_ != nullptr) offset = static_cast<const date::time_zone*>(zone_)->get_info(utc).offset;
  const auto local = utc + offset;
  const date::sys_days days = date::floor<date::days>(local);
  const date::year_month_day day(days);
  LocalTime time;
  time.year = static_cast<int>(day.year());
  time.month = static_cast<int>(static_cast<unsigned>(day.month()));
  time.day = static_cast<int>(static_cast<unsigned>(day.day()));
  time.last_day =
      static_cast<int>(static_cast<unsigned>((day.year() / day.month() / date::last).day()));
  time.weekday = static_cast<int>(date::weekday(days).c_encoding());
  time.minute =
      static_cast<int>(std::chrono::duration_cast<std::chrono::minutes>(local - days).count());
  return time;
}

}  // namespace atalaya::alertd
