#pragma once

#include <cstdint>

#include "base/sqlite.h"
#include "history/chunk.h"
#include "history/record.h"

namespace atalaya::history {

// A row's key is its series and start time in one number, so that the rows of a series lie together
// in the file, by time, without an index beside them.
inline constexpr int kKeyTimeBits = 42;

inline std::int64_t SeriesKey(SeriesId series, std::int64_t start_ms) {
  return std::int64_t{series} << kKeyTimeBits | start_ms;
}
inline std::int64_t StartOfKey(std::int64_t key) { return key & kMaxTimeMs; }

// Resets a statement when its user is done, whichever way it leaves.
class StatementUse {
 public:
  explicit StatementUse(SqliteStatement& statement) : statement_(statement) {}
  ~StatementUse() { statement_.Reset(); }
  StatementUse(const StatementUse&) = delete;
  StatementUse& operator=(const StatementUse&) = delete;
  SqliteStatement* operator->() { return &statement_; }
  const SqliteStatement& operator*() const { return statement_; }

 private:
  SqliteStatement& statement_;
};

}  // namespace atalaya::history
