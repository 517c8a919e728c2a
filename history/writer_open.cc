// How the writer begins: from an old file, from nothing, or after damage.

#include <algorithm>

#include "base/log.h"
#include "history/writer.h"

namespace atalaya::history {

Result<std::unique_ptr<Writer>> Writer::Open(const StoreOptions& options, Head& head,
                                             Counters& counters) {
  std::unique_ptr<Writer> writer(new Writer(options, head, counters));
  Status loaded = writer->Load();
  if (!loaded && loaded.error().code == ErrorCode::kDamaged) {
    loaded = writer->BeginNewFile(loaded.error());
  }
  if (!loaded) return Forward(loaded.error());
  const std::int64_t now_ms = options.clock->NowMs();
  const std::int64_t run_id = writer->runs_.empty() ? 1 : writer->runs_.back().id + 1;
  writer->runs_.push_back({run_id, now_ms, now_ms, false});
  writer->last_sweep_ms_ = now_ms - kRetentionSweepMs;
  for (const auto& [id, state] : head.series) {
    if (state.first_ms < writer->oldest_ms_) writer->oldest_ms_ = state.first_ms;
  }
  writer->syncer_.emplace(options.path, options.sync_after_ms);
  return writer;
}

Writer::~Writer() {
  if (!database_ || runs_.empty() || !syncer_) return;
  runs_.back().last_ms = std::max(runs_.back().last_ms, options_.clock->NowMs());
  runs_.back().stopped = true;
  if (Status done = database_->PutRun(runs_.back()); !done) {
    LogWarning("history: cannot mark the end of the run: {}", done.error().message);
  }
}

Status Writer::Load() {
  Result<Database> opened = Database::Open(options_.path);
  if (!opened) return Forward(opened.error());
  database_.emplace(std::move(*opened));
  SealedBatches sealed;
  Status done = LoadSeries(sealed);
  if (done) done = LoadBatches(sealed);
  SortHeads();
  if (done) done = LoadRuns();
  return done;
}

Status Writer::LoadSeries(SealedBatches& sealed) {
  std::vector<SeriesId> damaged;
  const auto rows = database_->AllSeries(damaged);
  if (!rows) return Forward(rows.error());
  for (const Database::SeriesRow& row : *rows) {
    const auto bounds = database_->Bounds(row.id);
    if (!bounds) return Forward(bounds.error());
    SeriesState& state = head_.Add(row.id, row.labels);
    state.stored = true;
    // An altered mark is told by this; what was summed up behind it is summed up again.
    const bool altered = row.tiered_ms % kHourMs != 0;
    state.tiered_ms = altered ? BucketEnd(bounds->first_ms, kHourMs) : row.tiered_ms;
    if (altered) ++counters_.damaged_rows;
    sealed[row.id] = row.sealed_batch;
    next_batch_ = std::max(next_batch_, row.sealed_batch + 1);
    if (bounds->first_ms >= 0) {
      state.first_ms = bounds->first_ms;
      state.last_ms = bounds->last_ms;
      state.sealed_end_ms = bounds->last_ms;
    }
    if (state.tiered_ms == 0) continue;
    const auto first_ms = database_->tiers().FirstMs(Tier::kHour, row.id);
    if (!first_ms) return Forward(first_ms.error());
    if (*first_ms >= 0) state.first_ms = std::min(state.first_ms, *first_ms);
    state.last_ms = std::max(state.last_ms, state.tiered_ms);
  }
  counters_.damaged_rows += damaged.size();
  // Their chunks may still be there: no other series may take them for its own.
  for (const SeriesId id : damaged) head_.next_id = std::max(head_.next_id, id + 1);
  if (!damaged.empty()) {
    LogWarning("history: {}: {} series were damaged", options_.path, damaged.size());
  }
  return {};
}

// Brings back the heads: what was accepted and is not in a chunk.
Status Writer::LoadBatches(const SealedBatches& sealed) {
  std::uint64_t damaged = 0;
  const std::int64_t now_ms = options_.clock->NowMs();
  Status done = database_->EachBatch(
      [&](std::int64_t id, const std::vector<BatchSample>& batch) {
        next_batch_ = std::max(next_batch_, id + 1);
        for (const auto& [series, sample] : batch) {
          const auto at = head_.series.find(series);
          if (at == head_.series.end() || id <= sealed.at(series)) continue;
          SeriesState& state = at->second;
          state.samples.push_back(sample);
          state.first_ms = std::min(state.first_ms, sample.time_ms);
          state.last_ms = std::max(state.last_ms, sample.time_ms);
          if (state.first_batch != 0) continue;
          state.first_batch = id;
          state.head_since_ms = now_ms;
        }
      },
      damaged);
  counters_.damaged_rows += damaged;
  if (damaged > 0) LogWarning("history: {}: {} batches were damaged", options_.path, damaged);
  return done;
}

void Writer::SortHeads() {
  for (auto& [id, state] : head_.series) {
    std::stable_sort(state.samples.begin(), state.samples.end(),
                     [](const auto& a, const auto& b) { return a.time_ms < b.time_ms; });
    if (state.samples.size() < kMinChunkSamples) continue;
    state.queued = true;
    due_.push_back(id);
  }
}

Status Writer::LoadRuns() {
  auto runs = database_->Runs();
  if (!runs) return Forward(runs.error());
  runs_ = std::move(*runs);
  return {};
}

// Sets the broken file aside and saves in a new one what memory holds.
Status Writer::BeginNewFile(const Error& why) {
  database_.reset();
  const Result<std::string> name = SetAside(options_.path, options_.clock->NowMs());
  if (!name) return Forward(name.error());
  ++counters_.files_set_aside;
  ++generation_;
  LogError("history: {}; set aside as {}, and a new file begun", why.message, *name);
  RelogHead();
  Result<Database> opened = Database::Open(options_.path);
  if (!opened) return Forward(opened.error());
  database_.emplace(std::move(*opened));
  return {};
}

void Writer::RelogHead() {
  const std::unique_lock lock(head_.mutex);
  noted_.clear();
  unsaved_.clear();
  unsaved_bytes_ = 0;
  new_series_.clear();
  sweep_.clear();
  tier_due_.clear();
  run_marked_ms_ = 0;
  std::vector<SeriesId> empty;
  for (auto& [id, state] : head_.series) {
    state.stored = false;
    state.sealed_end_ms = -1;
    state.tiered_ms = 0;
    state.tier_queued = false;
    state.last_chunk_samples = kMaxChunkSamples;
    if (state.samples.empty()) {
      empty.push_back(id);
      continue;
    }
    state.first_ms = state.samples.front().time_ms;
    state.last_ms = state.samples.back().time_ms;
    state.first_batch = next_batch_;
    new_series_.push_back(id);
    for (const telemetry::Sample& sample : state.samples) noted_.push_back({id, sample});
  }
  for (const SeriesId id : empty) head_.Remove(id);
  std::erase_if(due_, [this](SeriesId id) { return !head_.series.contains(id); });
  if (noted_.empty()) return;
  unsaved_.push_back({next_batch_++, EncodeBatch(noted_), noted_.size()});
  unsaved_bytes_ = unsaved_.back().data.size();
  noted_.clear();
}

}  // namespace atalaya::history
