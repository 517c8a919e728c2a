#pragma once

#include <string>

#include "base/result.h"
#include "base/sqlite.h"

namespace atalaya::alertd {

// Opens (or creates) state.db: the alerts' states and the outbox, which change in one transaction.
// A commit is on stable storage before it returns. Each thread opens a connection of its own. Fails
// as SqliteDatabase::Open does.
Result<SqliteDatabase> OpenStateDb(const std::string& path);

}  // namespace atalaya::alertd
