#include "base/sqlite.h"

#include <sqlite3.h>

#include <utility>

#include "base/check.h"

namespace atalaya {
namespace {

ErrorCode CodeOf(int sqlite_code) {
  switch (sqlite_code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return ErrorCode::kBusy;
    case SQLITE_FULL:
      return ErrorCode::kLimit;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return ErrorCode::kDamaged;
    case SQLITE_ERROR:
    case SQLITE_CONSTRAINT:
    case SQLITE_MISMATCH:
      return ErrorCode::kInvalid;
    default:
      return ErrorCode::kIo;
  }
}

Error ErrorOf(sqlite3* db) {
  const char* file = sqlite3_db_filename(db, nullptr);
  return Error{CodeOf(sqlite3_extended_errcode(db)),
               fmt::format("{}: {}", file != nullptr && *file != '\0' ? file : "sqlite",
                           sqlite3_errmsg(db))};
}

Result<std::int64_t> QueryInteger(SqliteDatabase& database, std::string_view sql) {
  Result<SqliteStatement> statement = database.Prepare(sql);
  if (!statement) return Forward(statement.error());
  Result<bool> row = statement->Step();
  if (!row) return Forward(row.error());
  return *row ? statement->Integer(0) : 0;
}

Status Migrate(SqliteDatabase& database, const std::string& path,
               std::span<const std::string_view> migrations) {
  const auto known = static_cast<std::int64_t>(migrations.size());
  Result<std::int64_t> version = QueryInteger(database, "PRAGMA user_version");
  if (!version) return Forward(version.error());
  if (*version > known) {
    return Fail(ErrorCode::kVersion,
                "{}: written in format {} by a newer program; this one reads up to {}", path,
                *version, known);
  }
  while (*version < known) {
    Result<SqliteTransaction> transaction = SqliteTransaction::Begin(database);
    if (!transaction) return Forward(transaction.error());
    // Another connection may have migrated while this one waited for the lock.
    version = QueryInteger(database, "PRAGMA user_version");
    if (!version) return Forward(version.error());
    if (*version >= known) return {};
    Status done = database.Execute(migrations[static_cast<std::size_t>(*version)]);
    if (done) done = database.Execute(fmt::format("PRAGMA user_version = {}", ++*version));
    if (done) done = transaction->Commit();
    if (!done) return done;
  }
  return {};
}

}  // namespace

Result<SqliteDatabase> SqliteDatabase::Open(const std::string& path, SqliteSync sync,
                                            std::span<const std::string_view> migrations) {
  sqlite3* db = nullptr;
  const int opened = sqlite3_open_v2(
      path.c_str(), &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nullptr);
  ATALAYA_CHECK(db != nullptr);
  SqliteDatabase database(db);
  if (opened != SQLITE_OK) {
    return Fail(CodeOf(opened), "{}: cannot open: {}", path, sqlite3_errmsg(db));
  }
  sqlite3_extended_result_codes(db, 1);
  sqlite3_busy_timeout(db, kSqliteBusyTimeoutMs);
  const auto pragmas =
      fmt::format("PRAGMA journal_mode = WAL; PRAGMA synchronous = {}; PRAGMA foreign_keys = ON;",
                  sync == SqliteSync::kFull ? "FULL" : "NORMAL");
  if (Status done = database.Execute(pragmas); !done) return Forward(done.error());
  if (Status done = Migrate(database, path, migrations); !done) return Forward(done.error());
  return database;
}

SqliteDatabase::SqliteDatabase(SqliteDatabase&& other) noexcept
    : db_(std::exchange(other.db_, nullptr)) {}

SqliteDatabase& SqliteDatabase::operator=(SqliteDatabase&& other) noexcept {
  std::swap(db_, other.db_);
  return *this;
}

SqliteDatabase::~SqliteDatabase() { sqlite3_close_v2(db_); }

Status SqliteDatabase::Execute(std::string_view sql) {
  if (sqlite3_exec(db_, std::string(sql).c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) {
    return Forward(ErrorOf(db_));
  }
  return {};
}

Result<SqliteStatement> SqliteDatabase::Prepare(std::string_view sql) {
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v3(db_, sql.data(), static_cast<int>(sql.size()), SQLITE_PREPARE_PERSISTENT,
                         &statement, nullptr) != SQLITE_OK) {
    return Forward(ErrorOf(db_));
  }
  ATALAYA_CHECK(statement != nullptr);
  return SqliteStatement(statement);
}

std::int64_t SqliteDatabase::LastInsertId() const { return sqlite3_last_insert_rowid(db_); }
std::int64_t SqliteDatabase::Changes() const { return sqlite3_changes64(db_); }

SqliteStatement::SqliteStatement(SqliteStatement&& other) noexcept
    : statement_(std::exchange(other.statement_, nullptr)) {}

SqliteStatement& SqliteStatement::operator=(SqliteStatement&& other) noexcept {
  std::swap(statement_, other.statement_);
  return *this;
}

SqliteStatement::~SqliteStatement() { sqlite3_finalize(statement_); }

SqliteStatement& SqliteStatement::Bind(int parameter, std::int64_t value) {
  ATALAYA_CHECK(sqlite3_bind_int64(statement_, parameter, value) == SQLITE_OK);
  return *this;
}

SqliteStatement& SqliteStatement::Bind(int parameter, double value) {
  ATALAYA_CHECK(sqlite3_bind_double(statement_, parameter, value) == SQLITE_OK);
  return *this;
}

SqliteStatement& SqliteStatement::Bind(int parameter, std::string_view text) {
  // An empty view may carry a null pointer, which SQLite would store as NULL.
  ATALAYA_CHECK(sqlite3_bind_text64(statement_, parameter, text.empty() ? "" : text.data(),
                                    text.size(), SQLITE_TRANSIENT, SQLITE_UTF8) == SQLITE_OK);
  return *this;
}

SqliteStatement& SqliteStatement::BindBlob(int parameter, std::string_view bytes) {
  ATALAYA_CHECK(sqlite3_bind_blob64(statement_, parameter, bytes.empty() ? "" : bytes.data(),
                                    bytes.size(), SQLITE_TRANSIENT) == SQLITE_OK);
  return *this;
}

Result<bool> SqliteStatement::Step() {
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  Error error = ErrorOf(sqlite3_db_handle(statement_));
  sqlite3_reset(statement_);
  return Forward(std::move(error));
}

Status SqliteStatement::Run() {
  while (true) {
    Result<bool> row = Step();
    if (!row) return Forward(row.error());
    if (!*row) break;
  }
  Reset();
  return {};
}

void SqliteStatement::Reset() {
  // Its code repeats the last Step's, which that Step has told already.
  sqlite3_reset(statement_);
}

std::int64_t SqliteStatement::Integer(int column) const {
  return sqlite3_column_int64(statement_, column);
}

double SqliteStatement::Real(int column) const { return sqlite3_column_double(statement_, column); }

std::string SqliteStatement::Text(int column) const {
  const unsigned char* text = sqlite3_column_text(statement_, column);
  const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement_, column));
  return text == nullptr ? std::string() : std::string(reinterpret_cast<const char*>(text), size);
}

std::string_view SqliteStatement::Blob(int column) const {
  const void* bytes = sqlite3_column_blob(statement_, column);
  const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement_, column));
  return bytes == nullptr ? std::string_view()
                          : std::string_view(static_cast<const char*>(bytes), size);
}

bool SqliteStatement::IsNull(int column) const {
  return sqlite3_column_type(statement_, column) == SQLITE_NULL;
}

Result<SqliteTransaction> SqliteTransaction::Begin(SqliteDatabase& database) {
  if (Status begun = database.Execute("BEGIN IMMEDIATE"); !begun) return Forward(begun.error());
  return SqliteTransaction(&database);
}

SqliteTransaction::SqliteTransaction(SqliteTransaction&& other) noexcept
    : database_(std::exchange(other.database_, nullptr)) {}

SqliteTransaction::~SqliteTransaction() {
  // A full disk makes SQLite roll back by itself, and ROLLBACK then fails: nothing is left to undo.
  if (database_ != nullptr) static_cast<void>(database_->Execute("ROLLBACK"));
}

Status SqliteTransaction::Commit() {
  Status done = database_->Execute("COMMIT");
  if (done) database_ = nullptr;
  return done;
}

}  // namespace atalaya
