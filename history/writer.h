#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "history/database.h"
#include "history/head.h"
#include "history/store.h"
#include "history/syncer.h"

namespace atalaya::history {

inline constexpr std::size_t kMinChunkSamples = 240;    // A head of 240 to 360 becomes a chunk.
inline constexpr std::int64_t kMaxHeadAgeMs = kHourMs;  // So does a slow series' head after this.
inline constexpr std::size_t kMaxSealsPerFlush = 500;   // Bounds the time that one Append takes.
inline constexpr std::size_t kMaxTiersPerFlush = 200;   // Likewise: series summed up.
inline constexpr std::int64_t kMaxTierStepMs = kDayMs;  // And how much of each.
inline constexpr std::int64_t kHeadScanMs = 30'000;     // How often ages are looked at.
inline constexpr std::int64_t kRetentionSweepMs = kHourMs;  // One look at every series.
inline constexpr std::int64_t kRunMarkMs = 1000;

// The way of samples from the head to the disk. Threads: the one that appends.
class Writer {
 public:
  // Opens the file and fills `head` (which must be empty) with what it holds. See Store::Open.
  static Result<std::unique_ptr<Writer>> Open(const StoreOptions& options, Head& head,
                                              Counters& counters);
  ~Writer();  // Marks the run as stopped.

  // Notes a sample that was put into the head, for the next Flush.
  void Note(SeriesId series, SeriesState& state, const telemetry::Sample& sample);

  // Writes everything noted, moves full heads to chunks and removes what is too old, in one
  // transaction. Where that fails all of it is kept for the next time, within the named limits.
  Status Flush();

  // The value that a chunk holds for a time at or before the series' sealed end, if any.
  Result<std::optional<double>> SealedValue(SeriesId series, std::int64_t time_ms);

  void WhenDurable(std::function<void()> done);  // See Store. Threads: any.

  // The other side noticed damage: the next Flush begins a new file.
  void ReportDamage() { damage_reported_ = true; }

  // How far back samples, minutes and hours reach. Threads: any.
  std::vector<telemetry::Depth> Depths() const;

  std::vector<Run> Runs(std::int64_t from_ms, std::int64_t to_ms) const;
  std::uint64_t generation() const { return generation_; }  // Changes when a new file is begun.

 private:
  struct Batch {
    std::int64_t id;
    std::string data;
    std::size_t samples;
  };
  struct Sealed {
    SeriesId series;
    std::int64_t end_ms;
    std::size_t last_chunk_samples;
    std::int64_t tiered_ms;
  };
  struct Tiered {
    SeriesId series;
    std::int64_t until_ms;
  };
  // What one transaction has done, for memory to follow once it is committed.
  struct Done {
    std::vector<Sealed> sealed;
    std::vector<Tiered> tiered;
    std::vector<SeriesId> removed;
  };

  using SealedBatches = std::unordered_map<SeriesId, std::int64_t>;

  Writer(const StoreOptions& options, Head& head, Counters& counters)
      : options_(options), head_(head), counters_(counters) {}

  Status Load();
  Status LoadSeries(SealedBatches& sealed);
  Status LoadBatches(const SealedBatches& sealed);
  void SortHeads();
  Status LoadRuns();
  Status BeginNewFile(const Error& why);
  void ScanHeads(std::int64_t now_ms);
  void ScanTiers(std::int64_t now_ms);
  Status Write(std::int64_t now_ms, Done& work);
  Status WriteNoted();
  Result<Sealed> Seal(SeriesId series, const SeriesState& state);
  Status SumUpDue(std::int64_t now_ms, std::vector<Tiered>& tiered);
  Result<std::int64_t> SumUp(SeriesId series, const SeriesState& state, std::int64_t now_ms);
  Result<std::int64_t> RewindTiers(SeriesId series, const SeriesState& state,
                                   std::int64_t first_ms);
  std::array<std::int64_t, 3> Cutoffs(std::int64_t now_ms) const;
  Status CheckSize(std::int64_t now_ms);
  Status RemoveOld(SeriesId id, const SeriesState& state,
                   const std::array<std::int64_t, 3>& cutoffs);
  Status SweepRetention(std::int64_t now_ms, std::vector<SeriesId>& removed);
  Status MarkRun(std::int64_t now_ms);
  void Finish(const Done& work);
  void Failed(const Error& why);
  void RelogHead();

  const StoreOptions& options_;
  Head& head_;
  Counters& counters_;
  std::optional<Database> database_;
  std::optional<Syncer> syncer_;
  std::vector<BatchSample> noted_;
  std::deque<Batch> unsaved_;
  std::size_t unsaved_bytes_ = 0;
  std::vector<SeriesId> new_series_;
  std::vector<SeriesId> due_;       // To be sealed.
  std::vector<SeriesId> tier_due_;  // To be summed up.
  std::int64_t next_batch_ = 1;
  std::int64_t removable_batch_ = 0;  // Batches below it are in chunks.
  std::int64_t last_scan_ms_ = 0;
  std::int64_t last_sweep_ms_ = 0;
  std::vector<SeriesId> sweep_;  // Series that this sweep has still to look at.
  std::array<std::atomic<std::int64_t>, 3> cut_for_bytes_ms_{};  // For retention_bytes.
  std::atomic<std::int64_t> oldest_ms_{std::numeric_limits<std::int64_t>::max()};  // Of anything.
  bool said_over_limit_ = false;
  mutable std::shared_mutex runs_mutex_;
  std::vector<Database::RunRow> runs_;  // The last one is under way.
  std::int64_t run_marked_ms_ = 0;
  std::atomic<bool> damage_reported_{false};
  std::atomic<std::uint64_t> generation_{1};
};

}  // namespace atalaya::history
