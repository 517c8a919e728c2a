#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "base/result.h"
#include "base/sqlite.h"
#include "history/bucket.h"
#include "history/record.h"
#include "telemetry/series_source.h"

namespace atalaya::history {

enum class Tier : std::uint8_t { kMinute, kHour };
inline constexpr std::array kTiers = {Tier::kMinute, Tier::kHour};

// Of one bucket: a minute, an hour.
std::int64_t WidthMs(Tier tier);

// The tables of the tiers: rows of one series' buckets, each row a fixed span of kMaxTierBuckets
// widths. Failures are those of base/sqlite.h. Threads: one at a time.
class TierTables {
 public:
  static Result<TierTables> Prepare(SqliteDatabase& connection);

  // Puts `buckets` in the place of all that the series has of (from_ms, to_ms]; theirs lie within.
  // `from_ms` and `to_ms` are whole hours. Inside a transaction of the caller's.
  Status Replace(Tier tier, SeriesId series, std::int64_t from_ms, std::int64_t to_ms,
                 const std::vector<Bucket>& buckets);

  // One column of the buckets that end within the range, both ends included, appended to `out`. A
  // row that is damaged is passed over and counted in `damaged`.
  Status Read(Tier tier, SeriesId series, std::int64_t from_ms, std::int64_t to_ms,
              telemetry::Column column, std::vector<telemetry::Sample>& out,
              std::uint64_t& damaged);

  // The beginning of the series' first row; -1 where there is none.
  Result<std::int64_t> FirstMs(Tier tier, SeriesId series);

  // Rows that end before `cutoff_ms`.
  Status RemoveBefore(Tier tier, SeriesId series, std::int64_t cutoff_ms);

 private:
  enum Query : std::uint8_t { kRow, kRange, kFirst, kPut, kRemove, kQueryCount };
  SqliteStatement& Statement(Tier tier, Query query);

  std::vector<SqliteStatement> statements_;  // Those of the minutes, then those of the hours.
};

}  // namespace atalaya::history
