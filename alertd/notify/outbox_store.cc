#include "alertd/notify/outbox_store.h"

#include <limits>

namespace atalaya::alertd {
namespace {

constexpr std::string_view kRowColumns =
    "id, notice_id, receiver, kind, target, group_key, status, attempts, created_ms, "
    "next_attempt_ms, content, event_ns, evaluated_ns, stored_ns";

Result<std::optional<OutboxRow>> OneWaiting(SqliteStatement& statement) {
  const Result<bool> found = statement.Step();
  if (!found) return Forward(found.error());
  if (!*found) return std::nullopt;
  OutboxRow row;
  row.id = statement.Integer(0);
  row.notice_id = statement.Text(1);
  row.receiver = statement.Text(2);
  row.kind = statement.Text(3);
  row.target = statement.Text(4);
  row.group_key = statement.Text(5);
  row.status = statement.Text(6);
  row.attempts = statement.Integer(7);
  row.created_ms = statement.Integer(8);
  row.next_attempt_ms = statement.Integer(9);
  row.content = statement.Text(10);
  row.event_ns = statement.Integer(11);
  row.evaluated_ns = statement.Integer(12);
  row.stored_ns = statement.Integer(13);
  return std::optional(std::move(row));
}

Result<std::map<std::string, std::uint64_t>> CountsByName(SqliteStatement& statement) {
  std::map<std::string, std::uint64_t> counts;
  while (true) {
    const Result<bool> more = statement.Step();
    if (!more) return Forward(more.error());
    if (!*more) return counts;
    counts[statement.Text(0)] = static_cast<std::uint64_t>(statement.Integer(1));
  }
}

}  // namespace

Status InsertWaiting(SqliteDatabase& database, const OutboxRow& row) {
  Result<SqliteStatement> insert = database.Prepare(
      "INSERT INTO outbox (notice_id, receiver, kind, target, group_key, status, state, attempts, "
      "created_ms, next_attempt_ms, finished_ms, last_error, summary, content, event_ns, "
      "evaluated_ns, stored_ns, accepted_ns) VALUES "
      "(?1, ?2, ?3, ?4, ?5, ?6, 'waiting', ?7, ?8, ?9, 0, '', ?10, ?11, ?12, ?13, 0, 0)");
  if (!insert) return Forward(insert.error());
  return insert->Bind(1, std::string_view(row.notice_id))
      .Bind(2, std::string_view(row.receiver))
      .Bind(3, std::string_view(row.kind))
      .Bind(4, std::string_view(row.target))
      .Bind(5, std::string_view(row.group_key))
      .Bind(6, std::string_view(row.status))
      .Bind(7, row.attempts)
      .Bind(8, row.created_ms)
      .Bind(9, row.next_attempt_ms)
      .Bind(10, std::string_view(row.summary))
      .Bind(11, std::string_view(row.content))
      .Bind(12, row.event_ns)
      .Bind(13, row.evaluated_ns)
      .Run();
}

Result<std::optional<OutboxRow>> FindWaiting(SqliteDatabase& database, const std::string& receiver,
                                             const std::string& target,
                                             const std::string& group_key) {
  Result<SqliteStatement> select = database.Prepare(
      fmt::format("SELECT {} FROM outbox WHERE state = 'waiting' AND receiver = ?1 AND target = ?2 "
                  "AND group_key = ?3 ORDER BY id DESC LIMIT 1",
                  kRowColumns));
  if (!select) return Forward(select.error());
  select->Bind(1, std::string_view(receiver))
      .Bind(2, std::string_view(target))
      .Bind(3, std::string_view(group_key));
  return OneWaiting(*select);
}

Status MarkMerged(SqliteDatabase& database, std::int64_t id, std::int64_t now_ms) {
  Result<SqliteStatement> update = database.Prepare(
      "UPDATE outbox SET state = 'merged', finished_ms = ?2, content = '' "
      "WHERE id = ?1 AND state = 'waiting'");
  if (!update) return Forward(update.error());
  return update->Bind(1, id).Bind(2, now_ms).Run();
}

Result<std::int64_t> DropOldest(SqliteDatabase& database, const std::string& receiver,
                                std::size_t limit, std::int64_t now_ms) {
  Result<SqliteStatement> update = database.Prepare(
      "UPDATE outbox SET state = 'dropped', finished_ms = ?3, last_error = ?4, content = '' "
      "WHERE id IN ("
      "SELECT id FROM outbox WHERE state = 'waiting' AND receiver = ?1 ORDER BY id DESC "
      "LIMIT -1 OFFSET ?2)");
  if (!update) return Forward(update.error());
  const std::string why = fmt::format("dropped: more than {} notices waited", limit);
  const Status done = update->Bind(1, std::string_view(receiver))
                          .Bind(2, static_cast<std::int64_t>(limit))
                          .Bind(3, now_ms)
                          .Bind(4, std::string_view(why))
                          .Run();
  if (!done) return Forward(done.error());
  return database.Changes();
}

Result<std::optional<OutboxRow>> NextDue(SqliteDatabase& database, const std::string& receiver,
                                         std::int64_t now_ms, std::int64_t horizon_ms) {
  Result<SqliteStatement> select = database.Prepare(
      fmt::format("SELECT {} FROM outbox WHERE state = 'waiting' AND receiver = ?1 AND "
                  "(next_attempt_ms <= ?2 OR next_attempt_ms > ?3) ORDER BY id LIMIT 1",
                  kRowColumns));
  if (!select) return Forward(select.error());
  select->Bind(1, std::string_view(receiver)).Bind(2, now_ms).Bind(3, now_ms + horizon_ms);
  return OneWaiting(*select);
}

Result<std::optional<std::int64_t>> NextDueMs(SqliteDatabase& database,
                                              const std::string& receiver) {
  Result<SqliteStatement> select = database.Prepare(
      "SELECT min(next_attempt_ms) FROM outbox WHERE state = 'waiting' AND receiver = ?1");
  if (!select) return Forward(select.error());
  const Result<bool> found = select->Bind(1, std::string_view(receiver)).Step();
  if (!found) return Forward(found.error());
  if (!*found || select->IsNull(0)) return std::nullopt;
  return std::optional(select->Integer(0));
}

Status RecordAttempt(SqliteDatabase& database, const AttemptEnd& end) {
  // A success is told of any row; a failure does not bring back one that was merged or dropped.
  Result<SqliteStatement> update = database.Prepare(
      "UPDATE outbox SET attempts = attempts + 1, state = ?2, finished_ms = ?3, "
      "content = CASE WHEN ?2 = 'waiting' THEN content ELSE '' END, "
      "next_attempt_ms = ?4, last_error = CASE WHEN ?5 = '' THEN last_error ELSE ?5 END, "
      "stored_ns = CASE WHEN stored_ns = 0 THEN ?6 ELSE stored_ns END, accepted_ns = ?7 "
      "WHERE id = ?1 AND (state = 'waiting' OR (?2 = 'sent' AND state IN ('merged', 'dropped')))");
  if (!update) return Forward(update.error());
  const bool waits = end.state == OutboxState::kWaiting;
  return update->Bind(1, end.id)
      .Bind(2, OutboxStateName(end.state))
      .Bind(3, waits ? 0 : end.now_ms)
      .Bind(4, waits ? end.next_attempt_ms : 0)
      .Bind(5, std::string_view(end.error))
      .Bind(6, end.stored_ns)
      .Bind(7, end.accepted_ns)
      .Run();
}

Result<std::map<std::string, std::uint64_t>> DropOrphans(SqliteDatabase& database,
                                                         const std::set<std::string>& configured,
                                                         std::int64_t now_ms) {
  Result<SqliteStatement> select = database.Prepare(
      "SELECT receiver, sum(waiting) FROM (SELECT receiver, 1 AS waiting FROM outbox WHERE "
      "state = 'waiting' UNION ALL SELECT receiver, 0 FROM notified UNION ALL "
      "SELECT receiver, 0 FROM notified_group) GROUP BY receiver");
  if (!select) return Forward(select.error());
  Result<std::map<std::string, std::uint64_t>> counts = CountsByName(*select);
  if (!counts) return counts;
  std::map<std::string, std::uint64_t> dropped;
  for (const auto& [receiver, waiting] : *counts) {
    if (configured.contains(receiver)) continue;
    for (const std::string_view sql :
         {std::string_view("UPDATE outbox SET state = 'dropped', finished_ms = ?2, last_error = "
                           "'dropped: its receiver is no longer configured' "
                           "WHERE state = 'waiting' AND receiver = ?1"),
          std::string_view("DELETE FROM notified WHERE receiver = ?1"),
          std::string_view("DELETE FROM notified_group WHERE receiver = ?1")}) {
      Result<SqliteStatement> change = database.Prepare(sql);
      if (!change) return Forward(change.error());
      change->Bind(1, std::string_view(receiver));
      if (sql.starts_with("UPDATE")) change->Bind(2, now_ms);
      if (Status done = change->Run(); !done) return Forward(done.error());
    }
    if (waiting > 0) dropped[receiver] = waiting;
  }
  return dropped;
}

Result<std::map<std::string, std::uint64_t>> CountWaiting(SqliteDatabase& database) {
  Result<SqliteStatement> select = database.Prepare(
      "SELECT receiver, count(*) FROM outbox WHERE state = 'waiting' GROUP BY receiver");
  if (!select) return Forward(select.error());
  return CountsByName(*select);
}

Result<std::int64_t> PruneHistory(SqliteDatabase& database, const HistoryLimits& limits) {
  Result<SqliteStatement> prune = database.Prepare(
      "DELETE FROM outbox WHERE id IN (SELECT id FROM outbox WHERE state <> 'waiting' AND "
      "(finished_ms < ?1 OR id <= (SELECT max(id) FROM outbox) - ?2) LIMIT ?3)");
  if (!prune) return Forward(prune.error());
  const Status done = prune->Bind(1, limits.before_ms)
                          .Bind(2, static_cast<std::int64_t>(limits.keep_rows))
                          .Bind(3, static_cast<std::int64_t>(limits.at_a_time))
                          .Run();
  if (!done) return Forward(done.error());
  return database.Changes();
}

}  // namespace atalaya::alertd
