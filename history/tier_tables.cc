#include "history/tier_tables.h"

#include <algorithm>

#include "history/row_check.h"
#include "history/series_key.h"
#include "history/store.h"

namespace atalaya::history {
namespace {

constexpr std::array<std::string_view, 2> kTables = {"minute_tier", "hour_tier"};

std::int64_t SpanMs(Tier tier) {
  return WidthMs(tier) * static_cast<std::int64_t>(kMaxTierBuckets);
}

// Where the row begins that holds the bucket ending at `end_ms`.
std::int64_t RowStart(Tier tier, std::int64_t end_ms) {
  return (end_ms - 1) / SpanMs(tier) * SpanMs(tier);
}

}  // namespace

std::int64_t WidthMs(Tier tier) { return tier == Tier::kMinute ? kMinuteMs : kHourMs; }

Result<TierTables> TierTables::Prepare(SqliteDatabase& connection) {
  TierTables tables;
  for (const std::string_view table : kTables) {
    for (const std::string_view sql :
         {"SELECT key, data, crc FROM {} WHERE key = ?",
          "SELECT key, data, crc FROM {} WHERE key BETWEEN ? AND ? ORDER BY key",
          "SELECT key FROM {} WHERE key BETWEEN ? AND ? ORDER BY key LIMIT 1",
          "INSERT OR REPLACE INTO {}(key, data, crc) VALUES(?, ?, ?)",
          "DELETE FROM {} WHERE key BETWEEN ? AND ?"}) {
      Result<SqliteStatement> statement = connection.Prepare(fmt::format(fmt::runtime(sql), table));
      if (!statement) return Forward(statement.error());
      tables.statements_.push_back(std::move(*statement));
    }
  }
  return tables;
}

SqliteStatement& TierTables::Statement(Tier tier, Query query) {
  return statements_[static_cast<std::size_t>(tier) * kQueryCount + query];
}

Status TierTables::Replace(Tier tier, SeriesId series, std::int64_t from_ms, std::int64_t to_ms,
                           const std::vector<Bucket>& buckets) {
  auto next = buckets.begin();
  for (std::int64_t start = RowStart(tier, from_ms + 1); start < to_ms; start += SpanMs(tier)) {
    std::vector<Bucket> row;
    {
      StatementUse query(Statement(tier, kRow));
      query->Bind(1, SeriesKey(series, start));
      const Result<bool> found = query->Step();
      if (!found) return Forward(found.error());
      // A damaged row is replaced by what is known.
      if (*found && RowIsIntact(*query)) (void)DecodeBuckets(query->Blob(1), WidthMs(tier), row);
    }
    std::erase_if(row, [&](const Bucket& b) { return b.end_ms > from_ms && b.end_ms <= to_ms; });
    for (; next != buckets.end() && next->end_ms <= start + SpanMs(tier); ++next) {
      row.push_back(*next);
    }
    if (row.empty()) continue;
    std::sort(row.begin(), row.end(),
              [](const Bucket& a, const Bucket& b) { return a.end_ms < b.end_ms; });
    StatementUse put(Statement(tier, kPut));
    const std::int64_t key = SeriesKey(series, start);
    const std::string data = EncodeBuckets(row, WidthMs(tier));
    put->Bind(1, key).BindBlob(2, data).Bind(3, RowCheck(key, data));
    if (Status done = put->Run(); !done) return done;
  }
  return {};
}

Status TierTables::Read(Tier tier, SeriesId series, std::int64_t from_ms, std::int64_t to_ms,
                        telemetry::Column column, std::vector<telemetry::Sample>& out,
                        std::uint64_t& damaged) {
  if (to_ms < from_ms || to_ms <= 0) return {};
  const std::size_t before = out.size();
  StatementUse query(Statement(tier, kRange));
  query->Bind(1, SeriesKey(series, RowStart(tier, std::max<std::int64_t>(from_ms, 1))));
  query->Bind(2, SeriesKey(series, RowStart(tier, to_ms)));
  while (true) {
    const Result<bool> more = query->Step();
    if (!more) return Forward(more.error());
    if (!*more) break;
    const bool read =
        RowIsIntact(*query) && DecodeColumn(query->Blob(1), WidthMs(tier), column, out);
    if (!read) ++damaged;
  }
  const auto added = out.begin() + static_cast<std::ptrdiff_t>(before);
  out.erase(std::remove_if(added, out.end(),
                           [&](const telemetry::Sample& s) {
                             return s.time_ms < from_ms || s.time_ms > to_ms;
                           }),
            out.end());
  return {};
}

Result<std::int64_t> TierTables::FirstMs(Tier tier, SeriesId series) {
  StatementUse query(Statement(tier, kFirst));
  query->Bind(1, SeriesKey(series, 0)).Bind(2, SeriesKey(series, kMaxTimeMs));
  const Result<bool> found = query->Step();
  if (!found) return Forward(found.error());
  return *found ? StartOfKey(query->Integer(0)) : -1;
}

Status TierTables::RemoveBefore(Tier tier, SeriesId series, std::int64_t cutoff_ms) {
  if (cutoff_ms <= SpanMs(tier)) return {};
  StatementUse query(Statement(tier, kRemove));
  query->Bind(1, SeriesKey(series, 0)).Bind(2, SeriesKey(series, cutoff_ms - SpanMs(tier) - 1));
  return query->Run();
}

}  // namespace atalaya::history
