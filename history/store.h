#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "telemetry/labels.h"
#include "telemetry/sample.h"
#include "telemetry/series.h"
#include "telemetry/series_source.h"

namespace atalaya::history {

inline constexpr std::int64_t kMinuteMs = 60'000;
inline constexpr std::int64_t kHourMs = 60 * kMinuteMs;
inline constexpr std::int64_t kDayMs = 24 * kHourMs;

inline constexpr std::int64_t kMinKeptMs = kDayMs;           // However full the file is.
inline constexpr std::int64_t kMaxAheadMs = 10 * kMinuteMs;  // Further ahead of the clock: refused.
inline constexpr std::size_t kMaxLabelBytes = 16u << 10;     // Names and values of one series.
inline constexpr std::size_t kMaxHeadSamples = 8192;         // In memory per series.
inline constexpr std::size_t kMaxUnsavedBytes = 64u << 20;   // Waiting for a disk that fails.
inline constexpr std::int64_t kMaxUnsyncedMs = 700;          // Then Append syncs before it returns.

struct StoreOptions {
  std::string path;                         // "var/alertd/history.db"; its folder must be there.
  const Clock* clock = &SystemClock();      // Must outlive the store.
  std::int64_t retention_ms = 15 * kDayMs;  // Of samples as they came,
  std::int64_t minute_retention_ms = 90 * kDayMs;  // of minutes,
  std::int64_t hour_retention_ms = 730 * kDayMs;   // of hours.
  // Above this many bytes of the file in use, the oldest go before their time: samples first, then
  // minutes, then hours; the last kMinKeptMs of each stay. 0: no limit.
  std::uint64_t retention_bytes = 0;
  std::int64_t accept_late_ms = kDayMs;  // Older than this before now: refused.
  std::size_t max_series = 200'000;      // At most 2^21.
  std::int64_t sync_after_ms = 500;      // How long what is written waits for more to be synced.
};

// A time in which the watcher ran. Between two runs nothing could be measured.
struct Run {
  std::int64_t start_ms = 0;
  std::int64_t last_ms = 0;      // Of the last Append, to about a second.
  bool stopped_cleanly = false;  // False: still running, or killed.
};

struct StoreStats {
  std::uint64_t accepted = 0;           // Samples taken in.
  std::uint64_t repeated = 0;           // The same time and value again: nothing to do.
  std::uint64_t refused_conflict = 0;   // Another value for a time that has one.
  std::uint64_t refused_too_old = 0;    // Older than accept_late_ms.
  std::uint64_t refused_ahead = 0;      // More than kMaxAheadMs ahead.
  std::uint64_t refused_series = 0;     // A new series over max_series.
  std::uint64_t refused_labels = 0;     // No metric name, or over kMaxLabelBytes.
  std::uint64_t dropped_unsaved = 0;    // Samples whose saving was given up (kMaxUnsavedBytes).
  std::uint64_t dropped_memory = 0;     // Samples that left memory unsaved (kMaxHeadSamples).
  std::uint64_t write_failures = 0;     // Transactions that failed.
  std::uint64_t read_failures = 0;      // Reads that failed; queries went on with what is there.
  std::uint64_t damaged_rows = 0;       // Chunks, buckets, batches, series: passed over.
  std::uint64_t files_set_aside = 0;    // Broken files since the start.
  std::uint64_t retention_removed = 0;  // Chunks.
  std::uint64_t file_bytes = 0;         // Of the file in use, as of some seconds ago.
  std::size_t series = 0;
  std::size_t head_samples = 0;
  bool saving = true;  // False while the disk fails; samples are kept in memory meanwhile.
};

// The time-series store: one SQLite file (WAL) with a writer of its own.
//
// What Append has accepted with success survives SIGKILL at once, and power loss once it is synced:
// it is in the write-ahead log, which a thread of the store's own syncs after `sync_after_ms`.
// Where that comes late, an Append syncs: so what a power loss takes was accepted within
// kMaxUnsyncedMs, on a disk of any speed that does not fail. Samples stay in memory by series (the
// head) until 240 to 360 of them, or an hour, are moved to one chunk. Late samples are merged in.
// Once an hour is over, its samples are summed up by minutes and by hours (the tiers), which are
// kept longer; a late sample has its hours summed up again. A file that is broken is renamed to
// `<path>.broken-<time>` and a new one begun with what memory holds; a disk that fails or is full
// is said once, counted, and tried again at each Append, while queries go on from memory.
//
// Threads: Append from one thread at a time; everything else from any, several at once. Queries and
// Append do not wait for each other's disk.
class Store final : public telemetry::SeriesSource {
 public:
  // Opens or creates `options.path` and begins a run. Blocks on the disk. kVersion where a newer
  // program wrote it, kIo where it cannot be opened. Damage is no failure: it is said and counted.
  static Result<std::unique_ptr<Store>> Open(const StoreOptions& options);
  ~Store() override;  // Ends the run cleanly.
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  // Takes samples in, in any order, stale markers included; what is refused is counted. An empty
  // span only marks that the watcher still runs. Blocks on a write to the page cache, and on the
  // disk where a sync is late (kMaxUnsyncedMs). Fails where the samples could not be saved: they
  // are in memory, and saved as soon as the disk allows.
  Status Append(std::span<const telemetry::LabelledSample> samples);
  // The same for series that their writer holds; all stores note their place in them, so a writer
  // has one store.
  Status AppendHeld(std::span<const telemetry::SeriesSample> samples);

  // Calls `done`, on a thread of the store's, once all that was appended before is on stable
  // storage; a disk that fails delays it. Not at all where the store ends before. Threads: any.
  void WhenDurable(std::function<void()> done);

  Result<std::vector<telemetry::SeriesSamples>> Select(
      const telemetry::SelectRequest& request) const override;
  Status Each(const telemetry::SelectRequest& request, const TakeSeries& take) const override;

  // Samples as they came, minutes and hours.
  std::vector<telemetry::Depth> Depths() const override;

  // For lookups: the label sets of the series that may have samples from `from_ms` to `to_ms` and
  // match any of `selectors` (none: all series).
  using Selectors = std::vector<std::vector<telemetry::Matcher>>;
  std::vector<telemetry::Labels> Series(const Selectors& selectors, std::int64_t from_ms,
                                        std::int64_t to_ms) const;
  // Sorted, each once.
  std::vector<std::string> LabelNames(const Selectors& selectors, std::int64_t from_ms,
                                      std::int64_t to_ms) const;
  std::vector<std::string> LabelValues(std::string_view name, const Selectors& selectors,
                                       std::int64_t from_ms, std::int64_t to_ms) const;

  // The runs that touch the range, by rising time; the one under way ends now.
  std::vector<Run> Runs(std::int64_t from_ms, std::int64_t to_ms) const;

  StoreStats Stats() const;

 private:
  struct Impl;
  explicit Store(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace atalaya::history
