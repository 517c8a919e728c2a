#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "alertd/notify/outbox.h"
#include "base/result.h"
#include "base/sqlite.h"

namespace atalaya::alertd {

// The outbox as its two writers see it. Each function is one statement, within whatever transaction
// is open; each fails with kIo where the database does.

// Of the dispatcher ---------------------------------------------------------------------------

Status InsertWaiting(SqliteDatabase& database, const OutboxRow& row);  // `id` and `state` are set.

// The row that waits for `target` with a notice of `group_key`; there is at most one.
Result<std::optional<OutboxRow>> FindWaiting(SqliteDatabase& database, const std::string& receiver,
                                             const std::string& target,
                                             const std::string& group_key);

Status MarkMerged(SqliteDatabase& database, std::int64_t id, std::int64_t now_ms);

// Drops the oldest waiting rows of `receiver` beyond `limit`; returns how many.
Result<std::int64_t> DropOldest(SqliteDatabase& database, const std::string& receiver,
                                std::size_t limit, std::int64_t now_ms);

// Of the deliverer ----------------------------------------------------------------------------

// The oldest waiting row of `receiver` that is due at `now_ms`; one that is due further ahead than
// `horizon_ms` is due, too: then the wall clock stepped back.
Result<std::optional<OutboxRow>> NextDue(SqliteDatabase& database, const std::string& receiver,
                                         std::int64_t now_ms, std::int64_t horizon_ms);

// When the next waiting row of `receiver` is due; nothing where none waits.
Result<std::optional<std::int64_t>> NextDueMs(SqliteDatabase& database,
                                              const std::string& receiver);

// What an attempt came to. A row that was merged or dropped while in flight may still become sent.
struct AttemptEnd {
  std::int64_t id = 0;
  OutboxState state = OutboxState::kWaiting;  // kSent, kFailed, or kWaiting for another attempt.
  std::int64_t now_ms = 0;
  std::int64_t next_attempt_ms = 0;
  std::string error = {};
  std::int64_t stored_ns = 0;
  std::int64_t accepted_ns = 0;
};
Status RecordAttempt(SqliteDatabase& database, const AttemptEnd& end);

// Drops what waits for receivers not in `configured`, and forgets what they were told. Returns how
// many rows of each were dropped.
Result<std::map<std::string, std::uint64_t>> DropOrphans(SqliteDatabase& database,
                                                         const std::set<std::string>& configured,
                                                         std::int64_t now_ms);

Result<std::map<std::string, std::uint64_t>> CountWaiting(SqliteDatabase& database);

struct HistoryLimits {
  std::int64_t before_ms = 0;               // Rows that ended before it go,
  std::size_t keep_rows = kMaxHistoryRows;  // and those that are not among this many newest.
  std::size_t at_a_time = 10'000;  // More are left for the next call, so that no writer waits long.
};

// Removes ended rows beyond the limits; returns how many.
Result<std::int64_t> PruneHistory(SqliteDatabase& database, const HistoryLimits& limits);

}  // namespace atalaya::alertd
