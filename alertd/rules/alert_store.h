#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "alertd/alert.h"
#include "base/result.h"
#include "base/sqlite.h"

namespace atalaya::alertd {

// The table of rules/ in state.db, as migrations (base/sqlite.h).
extern const std::string_view kRulesMigration1;
extern const std::string_view kRulesMigration2;

// An alert that is pending or firing, as it outlives a restart.
struct StoredAlert {
  std::string rule;  // Rule::alert, with "#2" behind for a second rule of that name, and so on.
  Alert alert;
  std::int64_t seen_ms = 0;  // When it was last evaluated: the time after it was spent blind.
};

// Each works within whatever transaction is open; kIo where the database fails.
Result<std::vector<StoredAlert>> LoadAlerts(SqliteDatabase& database);
Status SaveAlert(SqliteDatabase& database, const StoredAlert& alert);
Status DeleteAlert(SqliteDatabase& database, const std::string& rule, std::uint64_t fingerprint);

// Notes that every alert that waits, for `for` or `keep_firing_for`, was evaluated at `now_ms`.
Status MarkWaitingSeen(SqliteDatabase& database, std::int64_t now_ms);

}  // namespace atalaya::alertd
