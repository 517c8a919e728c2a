#include "alertd/notify/group_store.h"

#include <bit>

namespace atalaya::alertd {
namespace {

// The first column of each row.
Result<std::vector<std::string>> AllTexts(SqliteStatement& statement) {
  std::vector<std::string> texts;
  while (true) {
    const Result<bool> more = statement.Step();
    if (!more) return Forward(more.error());
    if (!*more) return texts;
    texts.push_back(statement.Text(0));
  }
}

// Runs a statement whose parameters are all texts.
Status RunWith(SqliteDatabase& database, std::string_view sql,
               std::initializer_list<std::string_view> texts) {
  Result<SqliteStatement> statement = database.Prepare(sql);
  if (!statement) return Forward(statement.error());
  int parameter = 0;
  for (const std::string_view text : texts) statement->Bind(++parameter, text);
  return statement->Run();
}

}  // namespace

Result<std::vector<GroupRow>> LoadGroups(SqliteDatabase& database) {
  Result<SqliteStatement> select =
      database.Prepare("SELECT group_key, labels, next_flush_ms FROM alert_group");
  if (!select) return Forward(select.error());
  std::vector<GroupRow> groups;
  while (true) {
    const Result<bool> more = select->Step();
    if (!more) return Forward(more.error());
    if (!*more) return groups;
    Result<telemetry::Labels> labels = DecodeLabels(select->Text(1));
    if (!labels) return Forward(labels.error());
    groups.push_back({select->Text(0), std::move(*labels), select->Integer(2)});
  }
}

Status SaveGroup(SqliteDatabase& database, const GroupRow& group) {
  Result<SqliteStatement> insert = database.Prepare(
      "INSERT OR REPLACE INTO alert_group (group_key, labels, next_flush_ms) VALUES (?1, ?2, ?3)");
  if (!insert) return Forward(insert.error());
  const std::string labels = EncodeLabels(group.labels);
  return insert->Bind(1, std::string_view(group.key))
      .Bind(2, std::string_view(labels))
      .Bind(3, group.next_flush_ms)
      .Run();
}

Status DeleteGroup(SqliteDatabase& database, const std::string& key) {
  return RunWith(database, "DELETE FROM alert_group WHERE group_key = ?1", {key});
}

Result<std::vector<ToldAlert>> LoadTold(SqliteDatabase& database, const std::string& receiver,
                                        const std::string& group_key) {
  Result<SqliteStatement> select = database.Prepare(
      "SELECT fingerprint, fired_at_ms, ended_ms, alert FROM notified WHERE receiver = ?1 AND "
      "group_key = ?2");
  if (!select) return Forward(select.error());
  select->Bind(1, std::string_view(receiver)).Bind(2, std::string_view(group_key));
  std::vector<ToldAlert> told;
  while (true) {
    const Result<bool> more = select->Step();
    if (!more) return Forward(more.error());
    if (!*more) return told;
    told.push_back({std::bit_cast<std::uint64_t>(select->Integer(0)), select->Integer(1),
                    select->Integer(2), select->Text(3)});
  }
}

Status SaveTold(SqliteDatabase& database, const std::string& receiver, const std::string& group_key,
                const Alert& firing) {
  Result<SqliteStatement> insert = database.Prepare(
      "INSERT OR REPLACE INTO notified (receiver, fingerprint, group_key, fired_at_ms, alert, "
      "ended_ms) VALUES (?1, ?2, ?3, ?4, ?5, 0)");
  if (!insert) return Forward(insert.error());
  const std::string encoded = EncodeNoticeAlert(MakeNoticeAlert(firing));
  return insert->Bind(1, std::string_view(receiver))
      .Bind(2, std::bit_cast<std::int64_t>(firing.Fingerprint()))
      .Bind(3, std::string_view(group_key))
      .Bind(4, firing.fired_at_ms)
      .Bind(5, std::string_view(encoded))
      .Run();
}

Status DeleteTold(SqliteDatabase& database, const std::string& receiver,
                  const std::string& group_key, std::uint64_t fingerprint) {
  Result<SqliteStatement> remove = database.Prepare(
      "DELETE FROM notified WHERE receiver = ?1 AND group_key = ?2 AND fingerprint = ?3");
  if (!remove) return Forward(remove.error());
  return remove->Bind(1, std::string_view(receiver))
      .Bind(2, std::string_view(group_key))
      .Bind(3, std::bit_cast<std::int64_t>(fingerprint))
      .Run();
}

Result<std::vector<std::string>> MarkEnded(SqliteDatabase& database, const Alert& resolved) {
  Result<SqliteStatement> update = database.Prepare(
      "UPDATE notified SET ended_ms = ?2, alert = ?3 WHERE fingerprint = ?1 AND ended_ms = 0 "
      "RETURNING group_key");
  if (!update) return Forward(update.error());
  const std::string encoded = EncodeNoticeAlert(MakeNoticeAlert(resolved));
  update->Bind(1, std::bit_cast<std::int64_t>(resolved.Fingerprint()))
      .Bind(2, resolved.resolved_at_ms)
      .Bind(3, std::string_view(encoded));
  return AllTexts(*update);
}

Result<std::optional<ToldGroup>> LoadToldGroup(SqliteDatabase& database,
                                               const std::string& receiver,
                                               const std::string& group_key) {
  Result<SqliteStatement> select = database.Prepare(
      "SELECT thread_id, told_ms FROM notified_group WHERE receiver = ?1 AND group_key = ?2");
  if (!select) return Forward(select.error());
  const Result<bool> found =
      select->Bind(1, std::string_view(receiver)).Bind(2, std::string_view(group_key)).Step();
  if (!found) return Forward(found.error());
  if (!*found) return std::nullopt;
  return std::optional(ToldGroup{select->Text(0), select->Integer(1)});
}

Status SaveToldGroup(SqliteDatabase& database, const std::string& receiver,
                     const std::string& group_key, const ToldGroup& told) {
  Result<SqliteStatement> insert = database.Prepare(
      "INSERT OR REPLACE INTO notified_group (receiver, group_key, thread_id, told_ms) VALUES "
      "(?1, ?2, ?3, ?4)");
  if (!insert) return Forward(insert.error());
  return insert->Bind(1, std::string_view(receiver))
      .Bind(2, std::string_view(group_key))
      .Bind(3, std::string_view(told.thread_id))
      .Bind(4, told.told_ms)
      .Run();
}

Status DeleteToldGroup(SqliteDatabase& database, const std::string& receiver,
                       const std::string& group_key) {
  return RunWith(database, "DELETE FROM notified_group WHERE receiver = ?1 AND group_key = ?2",
                 {receiver, group_key});
}

Result<std::vector<std::string>> LoadToldReceivers(SqliteDatabase& database,
                                                   const std::string& group_key) {
  Result<SqliteStatement> select =
      database.Prepare("SELECT receiver FROM notified_group WHERE group_key = ?1");
  if (!select) return Forward(select.error());
  select->Bind(1, std::string_view(group_key));
  return AllTexts(*select);
}

}  // namespace atalaya::alertd
