#include "history/database.h"

#include <array>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <optional>

#include "base/clock.h"
#include "history/chunk.h"
#include "history/row_check.h"
#include "history/series_key.h"

namespace atalaya::history {
namespace {

using telemetry::Sample;

// By migration. The application id says that the file is this store's: "AtlH".
constexpr std::array<std::string_view, 4> kMigrations = {
    R"(
  CREATE TABLE series(id INTEGER PRIMARY KEY, labels BLOB NOT NULL, sealed_batch INTEGER NOT NULL);
  CREATE TABLE batch(id INTEGER PRIMARY KEY, data BLOB NOT NULL);
  CREATE TABLE chunk(key INTEGER PRIMARY KEY, end_ms INTEGER NOT NULL, data BLOB NOT NULL);
  CREATE TABLE run(id INTEGER PRIMARY KEY, start_ms INTEGER NOT NULL, last_ms INTEGER NOT NULL,
                   stopped INTEGER NOT NULL);
  PRAGMA application_id = 0x41746c48;
)",
    R"(
  ALTER TABLE series ADD COLUMN tiered_ms INTEGER NOT NULL DEFAULT 0;
  CREATE TABLE minute_tier(key INTEGER PRIMARY KEY, data BLOB NOT NULL);
  CREATE TABLE hour_tier(key INTEGER PRIMARY KEY, data BLOB NOT NULL);
)",
    // Format 3 of chunks and 2 of rows of the tiers: no program that reads less may open the file.
    "",
    // RowCheck; NULL in rows that are there already.
    R"(
  ALTER TABLE series ADD COLUMN crc INTEGER;
  ALTER TABLE batch ADD COLUMN crc INTEGER;
  ALTER TABLE chunk ADD COLUMN crc INTEGER;
  ALTER TABLE minute_tier ADD COLUMN crc INTEGER;
  ALTER TABLE hour_tier ADD COLUMN crc INTEGER;
)"};

enum Query : std::size_t {
  kAllSeries,
  kFirstChunk,
  kLastChunk,
  kAllBatches,
  kAllRuns,
  kChunksFrom,
  kChunkBefore,
  kPutSeries,
  kSetSealed,
  kSetTiered,
  kRemoveSeries,
  kPutBatch,
  kRemoveBatches,
  kPutChunk,
  kRemoveChunk,
  kRemoveChunks,
  kPutRun,
  kRemoveRuns,
  kUsedBytes,
  kQueryCount
};

constexpr std::array<std::string_view, kQueryCount> kQueries = {
    "SELECT id, labels, crc, sealed_batch, tiered_ms FROM series ORDER BY id",
    "SELECT key FROM chunk WHERE key BETWEEN ? AND ? ORDER BY key LIMIT 1",
    "SELECT end_ms FROM chunk WHERE key BETWEEN ? AND ? ORDER BY key DESC LIMIT 1",
    "SELECT id, data, crc FROM batch ORDER BY id",
    "SELECT id, start_ms, last_ms, stopped FROM run ORDER BY id",
    "SELECT key, data, crc FROM chunk WHERE key >= coalesce((SELECT max(key) FROM chunk WHERE key "
    "BETWEEN ?1 AND ?2), ?2) AND key <= ?3 ORDER BY key",
    "SELECT key, data, crc FROM chunk WHERE key >= ? AND key < ? ORDER BY key DESC LIMIT 1",
    "INSERT INTO series(id, labels, sealed_batch, crc) VALUES(?, ?, ?, ?)",
    "UPDATE series SET sealed_batch = ? WHERE id = ?",
    "UPDATE series SET tiered_ms = ? WHERE id = ?",
    "DELETE FROM series WHERE id = ?",
    "INSERT OR REPLACE INTO batch(id, data, crc) VALUES(?, ?, ?)",
    "DELETE FROM batch WHERE id < ?",
    "INSERT OR REPLACE INTO chunk(key, end_ms, data, crc) VALUES(?, ?, ?, ?)",
    "DELETE FROM chunk WHERE key = ?",
    "DELETE FROM chunk WHERE key >= ? AND key < ? AND end_ms < ?",
    "INSERT INTO run(id, start_ms, last_ms, stopped) VALUES(?, ?, ?, ?) ON CONFLICT(id) DO UPDATE "
    "SET last_ms = excluded.last_ms, stopped = excluded.stopped",
    "DELETE FROM run WHERE last_ms < ?",
    "SELECT (page_count - freelist_count) * page_size "
    "FROM pragma_page_count, pragma_freelist_count, pragma_page_size",
};

}  // namespace

Result<Database> Database::Open(const std::string& path) {
  Result<SqliteDatabase> connection = SqliteDatabase::Open(path, SqliteSync::kNormal, kMigrations);
  if (!connection) return Forward(connection.error());
  // The store's own thread moves the log into the file, so that no Append waits for that.
  Status done = connection->Execute(
      "PRAGMA wal_autocheckpoint = 0; PRAGMA journal_size_limit = 16777216;"
      "PRAGMA cache_size = -8192;");
  if (!done) return Forward(done.error());
  Database database(std::move(*connection));
  done = database.Prepare();
  if (done) return database;
  // The tables are not those of the format.
  const bool other_tables = done.error().code == ErrorCode::kInvalid;
  return Fail(other_tables ? ErrorCode::kDamaged : done.error().code, "{}", done.error().message);
}

Status Database::Prepare() {
  for (const std::string_view query : kQueries) {
    Result<SqliteStatement> statement = connection_.Prepare(query);
    if (!statement) return Forward(statement.error());
    statements_.push_back(std::move(*statement));
  }
  Result<TierTables> tiers = TierTables::Prepare(connection_);
  if (!tiers) return Forward(tiers.error());
  tiers_.emplace(std::move(*tiers));
  return {};
}

Result<std::uint64_t> Database::UsedBytes() {
  StatementUse query(statements_[kUsedBytes]);
  const Result<bool> row = query->Step();
  if (!row) return Forward(row.error());
  return static_cast<std::uint64_t>(query->Integer(0));
}

Result<std::vector<Database::SeriesRow>> Database::AllSeries(std::vector<SeriesId>& damaged) {
  StatementUse query(statements_[kAllSeries]);
  std::vector<SeriesRow> rows;
  while (true) {
    const Result<bool> more = query->Step();
    if (!more) return Forward(more.error());
    if (!*more) return rows;
    const std::int64_t number = query->Integer(0);
    if (number < 1 || number >= kMaxSeriesId) {
      return Fail(ErrorCode::kDamaged, "a series has the number {}", number);
    }
    const auto id = static_cast<SeriesId>(number);
    Result<telemetry::Labels> labels = DecodeLabels(query->Blob(1));
    if (labels && RowIsIntact(*query)) {
      rows.push_back({id, std::move(*labels), query->Integer(3), query->Integer(4)});
    } else {
      damaged.push_back(id);
    }
  }
}

Result<Database::ChunkBounds> Database::Bounds(SeriesId series) {
  StatementUse first(statements_[kFirstChunk]);
  first->Bind(1, SeriesKey(series, 0)).Bind(2, SeriesKey(series, kMaxTimeMs));
  Result<bool> found = first->Step();
  if (!found) return Forward(found.error());
  if (!*found) return ChunkBounds{};
  StatementUse last(statements_[kLastChunk]);
  last->Bind(1, SeriesKey(series, 0)).Bind(2, SeriesKey(series, kMaxTimeMs));
  found = last->Step();
  if (!found) return Forward(found.error());
  return ChunkBounds{StartOfKey(first->Integer(0)), last->Integer(0)};
}

Status Database::EachBatch(const std::function<void(std::int64_t, std::vector<BatchSample>)>& take,
                           std::uint64_t& damaged) {
  StatementUse query(statements_[kAllBatches]);
  while (true) {
    const Result<bool> more = query->Step();
    if (!more) return Forward(more.error());
    if (!*more) return {};
    Result<std::vector<BatchSample>> batch = DecodeBatch(query->Blob(1));
    if (batch && RowIsIntact(*query)) {
      take(query->Integer(0), std::move(*batch));
    } else {
      ++damaged;
    }
  }
}

Result<std::vector<Database::RunRow>> Database::Runs() {
  StatementUse query(statements_[kAllRuns]);
  std::vector<RunRow> rows;
  while (true) {
    const Result<bool> more = query->Step();
    if (!more) return Forward(more.error());
    if (!*more) return rows;
    rows.push_back(
        {query->Integer(0), query->Integer(1), query->Integer(2), query->Integer(3) != 0});
  }
}

Result<std::vector<Database::Chunk>> Database::ReadChunks(SqliteStatement& statement,
                                                          std::uint64_t& damaged) {
  std::vector<Chunk> chunks;
  while (true) {
    const Result<bool> more = statement.Step();
    if (!more) return Forward(more.error());
    if (!*more) return chunks;
    Chunk chunk{StartOfKey(statement.Integer(0)), {}};
    if (RowIsIntact(statement) && DecodeChunk(statement.Blob(1), chunk.samples)) {
      chunks.push_back(std::move(chunk));
    } else {
      ++damaged;
    }
  }
}

Result<std::vector<Database::Chunk>> Database::Chunks(SeriesId series, std::int64_t from_ms,
                                                      std::int64_t to_ms, std::uint64_t& damaged) {
  StatementUse query(statements_[kChunksFrom]);
  query->Bind(1, SeriesKey(series, 0))
      .Bind(2, SeriesKey(series, from_ms))
      .Bind(3, SeriesKey(series, to_ms));
  return ReadChunks(statements_[kChunksFrom], damaged);
}

Status Database::ChunkSamples(SeriesId series, std::int64_t from_ms, std::int64_t to_ms,
                              std::vector<Sample>& out, std::uint64_t& damaged) {
  StatementUse query(statements_[kChunksFrom]);
  query->Bind(1, SeriesKey(series, 0))
      .Bind(2, SeriesKey(series, from_ms))
      .Bind(3, SeriesKey(series, to_ms));
  while (true) {
    const Result<bool> more = query->Step();
    if (!more) return Forward(more.error());
    if (!*more) return {};
    if (!RowIsIntact(*query) || !DecodeChunk(query->Blob(1), out)) ++damaged;
    while (!out.empty() && out.back().time_ms > to_ms) out.pop_back();
  }
}

Result<std::vector<Database::Chunk>> Database::ChunkBefore(SeriesId series, std::int64_t before_ms,
                                                           std::uint64_t& damaged) {
  StatementUse query(statements_[kChunkBefore]);
  query->Bind(1, SeriesKey(series, 0)).Bind(2, SeriesKey(series, before_ms));
  return ReadChunks(statements_[kChunkBefore], damaged);
}

Status Database::PutSeries(const SeriesRow& row) {
  StatementUse query(statements_[kPutSeries]);
  const std::string labels = EncodeLabels(row.labels);
  query->Bind(1, std::int64_t{row.id}).BindBlob(2, labels).Bind(3, row.sealed_batch);
  return query->Bind(4, RowCheck(row.id, labels)).Run();
}

Status Database::SetSealed(SeriesId series, std::int64_t batch) {
  StatementUse query(statements_[kSetSealed]);
  return query->Bind(1, batch).Bind(2, std::int64_t{series}).Run();
}

Status Database::SetTiered(SeriesId series, std::int64_t tiered_ms) {
  StatementUse query(statements_[kSetTiered]);
  return query->Bind(1, tiered_ms).Bind(2, std::int64_t{series}).Run();
}

Status Database::RemoveSeries(SeriesId series) {
  StatementUse query(statements_[kRemoveSeries]);
  return query->Bind(1, std::int64_t{series}).Run();
}

Status Database::PutBatch(std::int64_t id, std::string_view data) {
  StatementUse query(statements_[kPutBatch]);
  return query->Bind(1, id).BindBlob(2, data).Bind(3, RowCheck(id, data)).Run();
}

Status Database::RemoveBatchesBelow(std::int64_t id) {
  StatementUse query(statements_[kRemoveBatches]);
  return query->Bind(1, id).Run();
}

Status Database::PutChunk(SeriesId series, const std::vector<Sample>& samples) {
  StatementUse query(statements_[kPutChunk]);
  const std::int64_t key = SeriesKey(series, samples.front().time_ms);
  const std::string data = EncodeChunk(samples);
  query->Bind(1, key).Bind(2, samples.back().time_ms).BindBlob(3, data);
  return query->Bind(4, RowCheck(key, data)).Run();
}

Status Database::RemoveChunk(SeriesId series, std::int64_t start_ms) {
  StatementUse query(statements_[kRemoveChunk]);
  return query->Bind(1, SeriesKey(series, start_ms)).Run();
}

Result<std::int64_t> Database::RemoveChunksBefore(SeriesId series, std::int64_t cutoff_ms) {
  StatementUse query(statements_[kRemoveChunks]);
  query->Bind(1, SeriesKey(series, 0)).Bind(2, SeriesKey(series, cutoff_ms)).Bind(3, cutoff_ms);
  if (Status done = query->Run(); !done) return Forward(done.error());
  return connection_.Changes();
}

Status Database::PutRun(const RunRow& row) {
  StatementUse query(statements_[kPutRun]);
  query->Bind(1, row.id).Bind(2, row.start_ms).Bind(3, row.last_ms);
  return query->Bind(4, std::int64_t{row.stopped}).Run();
}

Status Database::RemoveRunsBefore(std::int64_t cutoff_ms) {
  StatementUse query(statements_[kRemoveRuns]);
  return query->Bind(1, cutoff_ms).Run();
}

Result<std::string> SetAside(const std::string& path, std::int64_t now_ms) {
  std::string stamp = FormatRfc3339(now_ms);
  std::erase_if(stamp, [](char c) { return c == ':' || c == '-'; });
  const std::string base = path + ".broken-" + stamp;
  std::string name = base;
  for (int i = 2; std::filesystem::exists(name); ++i) name = fmt::format("{}-{}", base, i);
  // SQLite would apply a log left behind to the new file.
  for (const char* suffix : {"-wal", "-shm", ""}) {
    if (std::rename((path + suffix).c_str(), (name + suffix).c_str()) != 0 && errno != ENOENT) {
      return Fail(ErrorCode::kIo, "{}{}: cannot set aside as {}: {}", path, suffix, name,
                  ErrnoText(errno));
    }
  }
  return name;
}

}  // namespace atalaya::history
