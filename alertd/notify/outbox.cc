#include "alertd/notify/outbox.h"

#include <algorithm>
#include <array>

namespace atalaya::alertd {

const std::string_view kNotifyMigration1 = R"sql(
CREATE TABLE outbox (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  notice_id TEXT NOT NULL,
  receiver TEXT NOT NULL,
  kind TEXT NOT NULL,
  target TEXT NOT NULL,
  group_key TEXT NOT NULL,
  status TEXT NOT NULL,
  state TEXT NOT NULL,
  attempts INTEGER NOT NULL,
  created_ms INTEGER NOT NULL,
  next_attempt_ms INTEGER NOT NULL,
  finished_ms INTEGER NOT NULL,
  last_error TEXT NOT NULL,
  summary TEXT NOT NULL,
  content TEXT NOT NULL,
  event_ns INTEGER NOT NULL,
  evaluated_ns INTEGER NOT NULL,
  stored_ns INTEGER NOT NULL,
  accepted_ns INTEGER NOT NULL
);
CREATE INDEX outbox_waiting ON outbox (receiver, id) WHERE state = 'waiting';
CREATE INDEX outbox_finished ON outbox (finished_ms) WHERE state <> 'waiting';
CREATE TABLE notified (
  receiver TEXT NOT NULL,
  fingerprint INTEGER NOT NULL,
  group_key TEXT NOT NULL,
  fired_at_ms INTEGER NOT NULL,
  alert TEXT NOT NULL,
  PRIMARY KEY (receiver, group_key, fingerprint)
) WITHOUT ROWID;
CREATE TABLE notified_group (
  receiver TEXT NOT NULL,
  group_key TEXT NOT NULL,
  thread_id TEXT NOT NULL,
  PRIMARY KEY (receiver, group_key)
) WITHOUT ROWID;
)sql";

// Until then every group was one of alertname, and told at once.
const std::string_view kNotifyMigration2 = R"sql(
CREATE TABLE alert_group (
  group_key TEXT PRIMARY KEY,
  labels TEXT NOT NULL,
  next_flush_ms INTEGER NOT NULL
) WITHOUT ROWID;
ALTER TABLE notified ADD COLUMN ended_ms INTEGER NOT NULL DEFAULT 0;
CREATE INDEX notified_alert ON notified (fingerprint);
ALTER TABLE notified_group ADD COLUMN told_ms INTEGER NOT NULL DEFAULT 0;
CREATE INDEX notified_group_key ON notified_group (group_key);
CREATE INDEX outbox_waiting_group ON outbox (receiver, target, group_key) WHERE state = 'waiting';
UPDATE notified_group SET told_ms = CAST(strftime('%s', 'now') AS INTEGER) * 1000;
INSERT INTO alert_group SELECT group_key,
  json_object('alertname', coalesce(json_extract(min(alert), '$.labels.alertname'), '')), 0
  FROM notified GROUP BY group_key;
)sql";

namespace {

constexpr std::array<std::pair<OutboxState, std::string_view>, 5> kStates{{
    {OutboxState::kWaiting, "waiting"},
    {OutboxState::kSent, "sent"},
    {OutboxState::kFailed, "failed"},
    {OutboxState::kDropped, "dropped"},
    {OutboxState::kMerged, "merged"},
}};

constexpr std::string_view kColumns =
    "id, notice_id, receiver, kind, target, group_key, status, state, attempts, created_ms, "
    "next_attempt_ms, finished_ms, last_error, summary, event_ns, evaluated_ns, stored_ns, "
    "accepted_ns";

OutboxRow ReadRow(const SqliteStatement& statement) {
  OutboxRow row;
  row.id = statement.Integer(0);
  row.notice_id = statement.Text(1);
  row.receiver = statement.Text(2);
  row.kind = statement.Text(3);
  row.target = statement.Text(4);
  row.group_key = statement.Text(5);
  row.status = statement.Text(6);
  row.state = ParseOutboxState(statement.Text(7)).value_or(OutboxState::kFailed);
  row.attempts = statement.Integer(8);
  row.created_ms = statement.Integer(9);
  row.next_attempt_ms = statement.Integer(10);
  row.finished_ms = statement.Integer(11);
  row.last_error = statement.Text(12);
  row.summary = statement.Text(13);
  row.event_ns = statement.Integer(14);
  row.evaluated_ns = statement.Integer(15);
  row.stored_ns = statement.Integer(16);
  row.accepted_ns = statement.Integer(17);
  return row;
}

}  // namespace

std::string_view OutboxStateName(OutboxState state) {
  for (const auto& [known, name] : kStates) {
    if (known == state) return name;
  }
  return "";
}

std::optional<OutboxState> ParseOutboxState(std::string_view name) {
  for (const auto& [state, known] : kStates) {
    if (known == name) return state;
  }
  return std::nullopt;
}

Result<std::vector<OutboxRow>> ListOutbox(SqliteDatabase& database, const OutboxQuery& query) {
  std::string sql = fmt::format("SELECT {} FROM outbox WHERE (?1 = 0 OR id < ?1)", kColumns);
  if (query.state) sql += " AND state = ?2";
  if (!query.receiver.empty()) sql += " AND receiver = ?3";
  if (!query.text.empty())
    sql +=
        " AND instr(lower(summary || char(10) || receiver || char(10) || target || char(10) || "
        "last_error), lower(?5)) > 0";
  sql += " ORDER BY id DESC LIMIT ?4";
  Result<SqliteStatement> statement = database.Prepare(sql);
  if (!statement) return Forward(statement.error());
  statement->Bind(1, query.before_id)
      .Bind(4, static_cast<std::int64_t>(std::min(query.limit, kMaxHistoryPage)));
  if (query.state) statement->Bind(2, OutboxStateName(*query.state));
  if (!query.receiver.empty()) statement->Bind(3, std::string_view(query.receiver));
  if (!query.text.empty()) statement->Bind(5, std::string_view(query.text));
  std::vector<OutboxRow> rows;
  while (true) {
    const Result<bool> more = statement->Step();
    if (!more) return Forward(more.error());
    if (!*more) return rows;
    rows.push_back(ReadRow(*statement));
  }
}

}  // namespace atalaya::alertd
