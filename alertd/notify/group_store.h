#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "alertd/alert.h"
#include "alertd/notify/notice.h"
#include "base/result.h"
#include "base/sqlite.h"
#include "telemetry/labels.h"

namespace atalaya::alertd {

// What is kept of groups and of what was told of them. Each function works within whatever
// transaction is open and fails with kIo where the database does.

// A group of alerts that is there to be told of.
struct GroupRow {
  std::string key;
  telemetry::Labels labels;
  std::int64_t next_flush_ms = 0;
};
Result<std::vector<GroupRow>> LoadGroups(SqliteDatabase& database);
Status SaveGroup(SqliteDatabase& database, const GroupRow& group);
Status DeleteGroup(SqliteDatabase& database, const std::string& key);

// One episode of an alert that a receiver was told of, and not yet of its end.
struct ToldAlert {
  std::uint64_t fingerprint = 0;
  std::int64_t fired_at_ms = 0;  // Which episode.
  std::int64_t ended_ms = 0;     // 0: nobody saw it end.
  std::string alert;             // A NoticeAlert, encoded: as it began, then as it ended.
};
Result<std::vector<ToldAlert>> LoadTold(SqliteDatabase& database, const std::string& receiver,
                                        const std::string& group_key);
Status SaveTold(SqliteDatabase& database, const std::string& receiver, const std::string& group_key,
                const Alert& firing);
Status DeleteTold(SqliteDatabase& database, const std::string& receiver,
                  const std::string& group_key, std::uint64_t fingerprint);

// Keeps how an alert ended for all who were told of it; returns the keys of their groups.
Result<std::vector<std::string>> MarkEnded(SqliteDatabase& database, const Alert& resolved);

// What a receiver knows of a group as a whole.
struct ToldGroup {
  std::string thread_id;     // The id of the notice that began its trouble.
  std::int64_t told_ms = 0;  // When it last got one.
};
Result<std::optional<ToldGroup>> LoadToldGroup(SqliteDatabase& database,
                                               const std::string& receiver,
                                               const std::string& group_key);
Status SaveToldGroup(SqliteDatabase& database, const std::string& receiver,
                     const std::string& group_key, const ToldGroup& told);
Status DeleteToldGroup(SqliteDatabase& database, const std::string& receiver,
                       const std::string& group_key);

// The receivers that know of a group.
Result<std::vector<std::string>> LoadToldReceivers(SqliteDatabase& database,
                                                   const std::string& group_key);

}  // namespace atalaya::alertd
