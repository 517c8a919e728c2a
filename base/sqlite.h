#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace atalaya {

enum class SqliteSync {
  kNormal,
  kFull
};  // kFull: a commit is on stable storage before it returns.

class SqliteStatement;

// How long a statement waits for another connection's write before it fails with kBusy.
inline constexpr int kSqliteBusyTimeoutMs = 2000;

// One connection to one SQLite file in WAL mode. Threads: one at a time.
//
// Every failure here names the file, and carries one of: kDamaged, the file is damaged or no SQLite
// database; kInvalid, the SQL or a constraint is at fault; kBusy, another connection kept the file
// locked; kLimit, the disk is full; kIo, everything else.
class SqliteDatabase {
 public:
  // Opens or creates. The file's version is its user_version; one above
  // `migrations.size()` is kVersion, by name. The statements of `migrations[i]` lead from version i
  // to i + 1, each in a transaction. Blocks on the disk.
  static Result<SqliteDatabase> Open(const std::string& path, SqliteSync sync,
                                     std::span<const std::string_view> migrations);

  SqliteDatabase(SqliteDatabase&& other) noexcept;
  SqliteDatabase& operator=(SqliteDatabase&& other) noexcept;
  ~SqliteDatabase();

  Status Execute(std::string_view sql);  // One or more statements without results.
  Result<SqliteStatement> Prepare(std::string_view sql);
  std::int64_t LastInsertId() const;
  std::int64_t Changes() const;

 private:
  explicit SqliteDatabase(sqlite3* db) : db_(db) {}
  sqlite3* db_ = nullptr;
};

// A prepared statement; parameters count from 1, columns from 0. Lives no longer than its database.
class SqliteStatement {
 public:
  SqliteStatement(SqliteStatement&& other) noexcept;
  SqliteStatement& operator=(SqliteStatement&& other) noexcept;
  ~SqliteStatement();

  // Text and bytes are copied. A parameter that is not there is a programmer's error.
  SqliteStatement& Bind(int parameter, std::int64_t value);
  SqliteStatement& Bind(int parameter, double value);
  SqliteStatement& Bind(int parameter, std::string_view text);
  SqliteStatement& BindBlob(int parameter, std::string_view bytes);

  Result<bool> Step();  // True: a row is there; false: done.
  Status Run();         // Steps to the end and resets, for statements without rows.
  void Reset();         // Ready to bind and step again.

  std::int64_t Integer(int column) const;
  double Real(int column) const;
  std::string Text(int column) const;
  std::string_view Blob(int column) const;  // Valid until the next Step or Reset.
  bool IsNull(int column) const;

 private:
  friend class SqliteDatabase;
  explicit SqliteStatement(sqlite3_stmt* statement) : statement_(statement) {}
  sqlite3_stmt* statement_;
};

// A write transaction (BEGIN IMMEDIATE) that rolls back unless it was committed. The database must
// outlive it and stay where it is.
class SqliteTransaction {
 public:
  static Result<SqliteTransaction> Begin(SqliteDatabase& database);
  SqliteTransaction(SqliteTransaction&& other) noexcept;
  SqliteTransaction& operator=(SqliteTransaction&&) = delete;
  ~SqliteTransaction();
  Status Commit();  // Where it fails, nothing was written.

 private:
  explicit SqliteTransaction(SqliteDatabase* database) : database_(database) {}
  SqliteDatabase* database_;
};

}  // namespace atalaya
