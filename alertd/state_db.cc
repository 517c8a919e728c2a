#include "alertd/state_db.h"

#include <array>
#include <string_view>

#include "alertd/notify/outbox.h"
#include "alertd/notify/posted_alerts.h"
#include "alertd/notify/silence_book.h"
#include "alertd/rules/alert_store.h"

namespace atalaya::alertd {

Result<SqliteDatabase> OpenStateDb(const std::string& path) {
  // In the order in which they were released: what stands here never changes, it only grows.
  const std::array<std::string_view, 6> migrations = {kRulesMigration1,  kNotifyMigration1,
                                                      kRulesMigration2,  kSilencesMigration1,
                                                      kNotifyMigration2, kPostedAlertsMigration1};
  return SqliteDatabase::Open(path, SqliteSync::kFull, migrations);
}

}  // namespace atalaya::alertd
