#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/sqlite.h"
#include "history/record.h"
#include "history/tier_tables.h"
#include "telemetry/labels.h"
#include "telemetry/sample.h"

namespace atalaya::history {

// One connection to the store's file: the tables and the statements on them, and nothing of what
// memory holds. Failures are those of base/sqlite.h. Threads: one at a time.
class Database {
 public:
  static Result<Database> Open(const std::string& path);

  struct SeriesRow {
    SeriesId id = 0;
    telemetry::Labels labels;
    std::int64_t sealed_batch = 0;  // Samples of batches up to this one are in chunks.
    std::int64_t tiered_ms = 0;     // Tiers hold all samples up to here, a whole hour; 0: none.
  };
  struct ChunkBounds {  // Both -1 where there is no chunk.
    std::int64_t first_ms = -1;
    std::int64_t last_ms = -1;
  };
  struct Chunk {
    std::int64_t start_ms = 0;
    std::vector<telemetry::Sample> samples;
  };
  struct RunRow {
    std::int64_t id = 0;
    std::int64_t start_ms = 0;
    std::int64_t last_ms = 0;
    bool stopped = false;
  };

  // Reading. A row that is not as it was written, or cannot be understood, is passed over and
  // counted in `damaged`; one written at its key replaces it.
  Result<std::vector<SeriesRow>> AllSeries(std::vector<SeriesId>& damaged);
  Result<ChunkBounds> Bounds(SeriesId series);
  Status EachBatch(const std::function<void(std::int64_t id, std::vector<BatchSample>)>& take,
                   std::uint64_t& damaged);
  Result<std::vector<RunRow>> Runs();

  // The chunks of a series that may hold samples of the range, by rising time; whole chunks.
  Result<std::vector<Chunk>> Chunks(SeriesId series, std::int64_t from_ms, std::int64_t to_ms,
                                    std::uint64_t& damaged);
  // Their samples up to `to_ms`, appended to `out`; of the first chunk also those before the range.
  Status ChunkSamples(SeriesId series, std::int64_t from_ms, std::int64_t to_ms,
                      std::vector<telemetry::Sample>& out, std::uint64_t& damaged);
  // The last chunk that begins before `before_ms`: none or one.
  Result<std::vector<Chunk>> ChunkBefore(SeriesId series, std::int64_t before_ms,
                                         std::uint64_t& damaged);

  // Writing, inside a transaction that the caller holds on `connection()`.
  Status PutSeries(const SeriesRow& row);
  Status SetSealed(SeriesId series, std::int64_t batch);
  Status SetTiered(SeriesId series, std::int64_t tiered_ms);
  Status RemoveSeries(SeriesId series);
  Status PutBatch(std::int64_t id, std::string_view data);
  Status RemoveBatchesBelow(std::int64_t id);
  Status PutChunk(SeriesId series, const std::vector<telemetry::Sample>& samples);
  Status RemoveChunk(SeriesId series, std::int64_t start_ms);
  // Those that end before `cutoff_ms`; returns how many.
  Result<std::int64_t> RemoveChunksBefore(SeriesId series, std::int64_t cutoff_ms);
  Status PutRun(const RunRow& row);
  Status RemoveRunsBefore(std::int64_t cutoff_ms);

  Result<std::uint64_t> UsedBytes();  // Of the file's pages, without the free ones.

  TierTables& tiers() { return *tiers_; }
  SqliteDatabase& connection() { return connection_; }

 private:
  explicit Database(SqliteDatabase connection) : connection_(std::move(connection)) {}
  Status Prepare();
  Result<std::vector<Chunk>> ReadChunks(SqliteStatement& statement, std::uint64_t& damaged);

  SqliteDatabase connection_;
  std::vector<SqliteStatement> statements_;  // By the Query enum of database.cc.
  std::optional<TierTables> tiers_;          // From Prepare on.
};

// Renames the file at `path`, with its log, to `<path>.broken-<utc>`, and returns the new name.
Result<std::string> SetAside(const std::string& path, std::int64_t now_ms);

}  // namespace atalaya::history
