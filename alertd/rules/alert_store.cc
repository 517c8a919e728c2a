#include "alertd/rules/alert_store.h"

#include <bit>
#include <charconv>
#include <optional>

namespace atalaya::alertd {

const std::string_view kRulesMigration1 = R"(
CREATE TABLE alert (
  rule TEXT NOT NULL,
  fingerprint INTEGER NOT NULL,
  labels BLOB NOT NULL,
  annotations BLOB NOT NULL,
  firing INTEGER NOT NULL,
  active_since_ms INTEGER NOT NULL,
  fired_at_ms INTEGER NOT NULL,
  seen_ms INTEGER NOT NULL,
  value REAL,
  immediate INTEGER NOT NULL,
  PRIMARY KEY (rule, fingerprint)
) WITHOUT ROWID;
)";

const std::string_view kRulesMigration2 =
    "ALTER TABLE alert ADD COLUMN kept_since_ms INTEGER NOT NULL DEFAULT 0;";

namespace {

// Names and values as netstrings, "3:job,4:node,": labels may hold any bytes.
void AppendText(std::string_view text, std::string& out) {
  fmt::format_to(std::back_inserter(out), "{}:{},", text.size(), text);
}

template <typename Pairs>
std::string EncodePairs(const Pairs& pairs) {
  std::string out;
  for (const auto& [name, value] : pairs) {
    AppendText(name, out);
    AppendText(value, out);
  }
  return out;
}

std::optional<std::string> TakeText(std::string_view& bytes) {
  std::size_t size = 0;
  const char* const begin = bytes.data();
  const auto [end, error] = std::from_chars(begin, begin + bytes.size(), size);
  const std::size_t digits = static_cast<std::size_t>(end - begin);
  if (error != std::errc() || bytes.size() < digits + 2 || size > bytes.size() - digits - 2 ||
      bytes[digits] != ':' || bytes[digits + 1 + size] != ',')
    return std::nullopt;
  std::string text(bytes.substr(digits + 1, size));
  bytes.remove_prefix(digits + 2 + size);
  return text;
}

Result<std::vector<telemetry::Labels::Pair>> DecodePairs(std::string_view bytes) {
  std::vector<telemetry::Labels::Pair> pairs;
  while (!bytes.empty()) {
    std::optional<std::string> name = TakeText(bytes);
    std::optional<std::string> value = name ? TakeText(bytes) : std::nullopt;
    if (!value) return Fail(ErrorCode::kIo, "state.db: a stored alert's labels are damaged");
    pairs.emplace_back(std::move(*name), std::move(*value));
  }
  return pairs;
}

}  // namespace

Result<std::vector<StoredAlert>> LoadAlerts(SqliteDatabase& database) {
  Result<SqliteStatement> select = database.Prepare(
      "SELECT rule, labels, annotations, firing, active_since_ms, fired_at_ms, seen_ms, value, "
      "immediate, kept_since_ms FROM alert");
  if (!select) return Forward(select.error());
  std::vector<StoredAlert> alerts;
  while (true) {
    const Result<bool> row = select->Step();
    if (!row) return Forward(row.error());
    if (!*row) return alerts;
    Result<std::vector<telemetry::Labels::Pair>> labels = DecodePairs(select->Blob(1));
    if (!labels) return Forward(labels.error());
    Result<std::vector<telemetry::Labels::Pair>> annotations = DecodePairs(select->Blob(2));
    if (!annotations) return Forward(annotations.error());
    StoredAlert stored;
    stored.rule = select->Text(0);
    stored.alert.labels = telemetry::Labels(std::move(*labels));
    stored.alert.annotations = {annotations->begin(), annotations->end()};
    stored.alert.state = select->Integer(3) != 0 ? AlertState::kFiring : AlertState::kPending;
    stored.alert.active_since_ms = select->Integer(4);
    stored.alert.fired_at_ms = select->Integer(5);
    stored.seen_ms = select->Integer(6);
    stored.alert.value = select->Real(7);  // NULL, which stands for NaN, reads as 0.
    stored.alert.immediate = select->Integer(8) != 0;
    stored.alert.kept_since_ms = select->Integer(9);
    alerts.push_back(std::move(stored));
  }
}

Status SaveAlert(SqliteDatabase& database, const StoredAlert& stored) {
  Result<SqliteStatement> insert = database.Prepare(
      "INSERT OR REPLACE INTO alert (rule, fingerprint, labels, annotations, firing, "
      "active_since_ms, fired_at_ms, seen_ms, value, immediate, kept_since_ms) "
      "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
  if (!insert) return Forward(insert.error());
  const Alert& alert = stored.alert;
  insert->Bind(1, stored.rule)
      .Bind(2, std::bit_cast<std::int64_t>(alert.Fingerprint()))
      .BindBlob(3, EncodePairs(alert.labels))
      .BindBlob(4, EncodePairs(alert.annotations))
      .Bind(5, std::int64_t{alert.state == AlertState::kFiring})
      .Bind(6, alert.active_since_ms)
      .Bind(7, alert.fired_at_ms)
      .Bind(8, stored.seen_ms)
      .Bind(9, alert.value)
      .Bind(10, std::int64_t{alert.immediate})
      .Bind(11, alert.kept_since_ms);
  return insert->Run();
}

Status DeleteAlert(SqliteDatabase& database, const std::string& rule, std::uint64_t fingerprint) {
  Result<SqliteStatement> remove =
      database.Prepare("DELETE FROM alert WHERE rule = ? AND fingerprint = ?");
  if (!remove) return Forward(remove.error());
  remove->Bind(1, rule).Bind(2, std::bit_cast<std::int64_t>(fingerprint));
  return remove->Run();
}

Status MarkWaitingSeen(SqliteDatabase& database, std::int64_t now_ms) {
  Result<SqliteStatement> update =
      database.Prepare("UPDATE alert SET seen_ms = ? WHERE firing = 0 OR kept_since_ms != 0");
  if (!update) return Forward(update.error());
  update->Bind(1, now_ms);
  return update->Run();
}

}  // namespace atalaya::alertd
