#pragma once

#include <atomic>
#include <cstdint>
#include <limits>
#include <shared_mutex>
#include <unordered_map>
#include <vector>

#include "history/chunk.h"
#include "history/index.h"
#include "history/record.h"
#include "telemetry/labels.h"
#include "telemetry/sample.h"

namespace atalaya::history {

// What memory knows of one series.
struct SeriesState {
  const telemetry::Labels* labels = nullptr;
  std::vector<telemetry::Sample> samples;  // Not yet in a chunk, by rising time.

  // Bounds of all samples, in memory and in chunks.
  std::int64_t first_ms = std::numeric_limits<std::int64_t>::max();
  std::int64_t last_ms = std::numeric_limits<std::int64_t>::min();

  std::int64_t sealed_end_ms = -1;                    // Of the last chunk; -1: there is none.
  std::int64_t tiered_ms = 0;                         // The tiers hold all up to here; 0: nothing.
  std::size_t last_chunk_samples = kMaxChunkSamples;  // Taken as full where it is not known.
  std::int64_t first_batch = 0;                       // The oldest batch with one of `samples`.
  std::int64_t head_since_ms = 0;                     // When the first of `samples` came.
  bool stored = false;                                // Its row is in the file.
  bool queued = false;                                // Waits to be sealed.
  bool tier_queued = false;                           // Waits to be summed up.
};

// All series in memory. Threads: one (the one that appends) changes it, under a unique lock; it
// may read without; others read under a shared lock.
struct Head {
  mutable std::shared_mutex mutex;
  std::unordered_map<SeriesId, SeriesState> series;
  std::unordered_map<telemetry::Labels, SeriesId> by_labels;
  LabelIndex index;
  SeriesId next_id = 1;

  SeriesState& Add(SeriesId id, const telemetry::Labels& labels);
  void Remove(SeriesId id);
};

// Counted since the start; see StoreStats. Threads: any.
struct Counters {
  std::atomic<std::uint64_t> accepted{0};
  std::atomic<std::uint64_t> repeated{0};
  std::atomic<std::uint64_t> refused_conflict{0};
  std::atomic<std::uint64_t> refused_too_old{0};
  std::atomic<std::uint64_t> refused_ahead{0};
  std::atomic<std::uint64_t> refused_series{0};
  std::atomic<std::uint64_t> refused_labels{0};
  std::atomic<std::uint64_t> dropped_unsaved{0};
  std::atomic<std::uint64_t> dropped_memory{0};
  std::atomic<std::uint64_t> write_failures{0};
  std::atomic<std::uint64_t> read_failures{0};
  std::atomic<std::uint64_t> damaged_rows{0};
  std::atomic<std::uint64_t> files_set_aside{0};
  std::atomic<std::uint64_t> retention_removed{0};
  std::atomic<std::uint64_t> file_bytes{0};
  std::atomic<bool> saving{true};
};

}  // namespace atalaya::history
