#include "history/writer.h"

#include <algorithm>

#include "base/log.h"

namespace atalaya::history {
namespace {

using telemetry::EarlierSample;
using telemetry::Sample;

// How many samples make a chunk of this series: spread, so that series that began together are not
// all moved in the same moment.
std::size_t ChunkTarget(SeriesId series) {
  return kMinChunkSamples + series * 2654435761u % (kMaxChunkSamples - kMinChunkSamples + 1);
}

// Keeps the first of several samples of one time.
void SortByTime(std::vector<Sample>& samples) {
  std::stable_sort(samples.begin(), samples.end(), EarlierSample);
  samples.erase(
      std::unique(samples.begin(), samples.end(),
                  [](const Sample& a, const Sample& b) { return a.time_ms == b.time_ms; }),
      samples.end());
}

}  // namespace

void Writer::Note(SeriesId series, SeriesState& state, const Sample& sample) {
  noted_.push_back({series, sample});
  if (state.first_batch == 0) {
    state.first_batch = next_batch_;
    state.head_since_ms = options_.clock->NowMs();
  }
  if (!state.stored && state.samples.size() == 1) new_series_.push_back(series);
  if (!state.queued && state.samples.size() >= ChunkTarget(series)) {
    state.queued = true;
    due_.push_back(series);
  }
}

Result<std::optional<double>> Writer::SealedValue(SeriesId series, std::int64_t time_ms) {
  if (!database_) return std::optional<double>();
  std::uint64_t damaged = 0;
  auto chunks = database_->Chunks(series, time_ms, time_ms, damaged);
  if (!chunks) return Forward(chunks.error());
  counters_.damaged_rows += damaged;
  for (const Database::Chunk& chunk : *chunks) {
    const auto at = std::lower_bound(chunk.samples.begin(), chunk.samples.end(), Sample{time_ms, 0},
                                     EarlierSample);
    if (at != chunk.samples.end() && at->time_ms == time_ms) return at->value;
  }
  return std::optional<double>();
}

void Writer::WhenDurable(std::function<void()> done) { syncer_->WhenSynced(std::move(done)); }

Status Writer::Flush() {
  const std::int64_t now_ms = options_.clock->NowMs();
  if (damage_reported_.exchange(false)) {
    Status begun = BeginNewFile({ErrorCode::kDamaged, options_.path + ": a read found it damaged"});
    if (!begun) return begun;
  }
  if (now_ms - last_scan_ms_ >= kHeadScanMs || now_ms < last_scan_ms_) ScanHeads(now_ms);
  if (!noted_.empty()) {
    unsaved_.push_back({next_batch_++, EncodeBatch(noted_), noted_.size()});
    unsaved_bytes_ += unsaved_.back().data.size();
    noted_.clear();
  }
  Done work;
  Status done = Write(now_ms, work);
  if (!done && done.error().code == ErrorCode::kDamaged && BeginNewFile(done.error())) {
    work = {};
    done = Write(now_ms, work);
  }
  if (!done) {
    Failed(done.error());
    return done;
  }
  Finish(work);
  return {};
}

// Finds the heads that are old, and the oldest batch that is still needed.
void Writer::ScanHeads(std::int64_t now_ms) {
  last_scan_ms_ = now_ms;
  std::int64_t oldest = next_batch_;
  std::int64_t oldest_ms = std::numeric_limits<std::int64_t>::max();
  for (auto& [id, state] : head_.series) {
    oldest_ms = std::min(oldest_ms, state.first_ms);
    if (state.first_batch == 0) continue;
    oldest = std::min(oldest, state.first_batch);
    const std::int64_t spread_ms = static_cast<std::int64_t>(id % 60) * 1000;
    if (!state.queued && now_ms - state.head_since_ms > kMaxHeadAgeMs + spread_ms) {
      state.queued = true;
      due_.push_back(id);
    }
  }
  removable_batch_ = oldest;
  oldest_ms_ = oldest_ms;
  ScanTiers(now_ms);
}

Status Writer::Write(std::int64_t now_ms, Done& work) {
  if (!database_) {  // The new file after damage could not be made at once.
    Result<Database> opened = Database::Open(options_.path);
    if (!opened) return Forward(opened.error());
    database_.emplace(std::move(*opened));
  }
  Result<SqliteTransaction> transaction = SqliteTransaction::Begin(database_->connection());
  if (!transaction) return Forward(transaction.error());
  Status done = WriteNoted();
  if (done) done = SumUpDue(now_ms, work.tiered);  // Before sealing: it reads what memory knows of.
  for (std::size_t i = 0; done && i < std::min(due_.size(), kMaxSealsPerFlush); ++i) {
    Result<Sealed> seal = Seal(due_[i], head_.series.at(due_[i]));
    if (!seal) return Forward(seal.error());
    work.sealed.push_back(*seal);
  }
  if (done && removable_batch_ > 0) done = database_->RemoveBatchesBelow(removable_batch_);
  if (done) done = SweepRetention(now_ms, work.removed);
  if (done) done = MarkRun(now_ms);
  if (done && now_ms == last_scan_ms_) done = CheckSize(now_ms);
  return done ? transaction->Commit() : done;
}

Status Writer::WriteNoted() {
  for (const SeriesId id : new_series_) {
    const auto state = head_.series.find(id);
    if (state == head_.series.end() || state->second.stored) continue;
    Status done = database_->PutSeries({id, *state->second.labels, 0});
    if (!done) return done;
  }
  for (const Batch& batch : unsaved_) {
    Status done = database_->PutBatch(batch.id, batch.data);
    if (!done) return done;
  }
  return {};
}

// Moves the head of one series to chunks, together with the chunks that it overlaps, or with a
// last one that has room.
Result<Writer::Sealed> Writer::Seal(SeriesId series, const SeriesState& state) {
  std::vector<Sample> samples = state.samples;
  Sealed sealed{series, state.sealed_end_ms, state.last_chunk_samples, state.tiered_ms};
  if (samples.empty()) return sealed;
  const std::int64_t first_ms = samples.front().time_ms;
  Result<std::vector<Database::Chunk>> old = std::vector<Database::Chunk>();
  std::uint64_t damaged = 0;
  if (first_ms <= state.sealed_end_ms) {
    old = database_->Chunks(series, first_ms, samples.back().time_ms, damaged);
  } else if (state.last_chunk_samples + samples.size() <= kMaxChunkSamples) {
    old = database_->ChunkBefore(series, first_ms, damaged);
  }
  if (!old) return Forward(old.error());
  counters_.damaged_rows += damaged;
  for (const Database::Chunk& chunk : *old) {
    Status done = database_->RemoveChunk(series, chunk.start_ms);
    if (!done) return Forward(done.error());
    samples.insert(samples.begin(), chunk.samples.begin(), chunk.samples.end());
  }
  SortByTime(samples);
  const std::size_t parts = (samples.size() + kMaxChunkSamples - 1) / kMaxChunkSamples;
  for (std::size_t part = 0; part < parts; ++part) {
    const auto begin = static_cast<std::ptrdiff_t>(samples.size() * part / parts);
    const auto end = static_cast<std::ptrdiff_t>(samples.size() * (part + 1) / parts);
    const std::vector<Sample> piece(samples.begin() + begin, samples.begin() + end);
    Status done = database_->PutChunk(series, piece);
    if (!done) return Forward(done.error());
    if (piece.back().time_ms >= sealed.end_ms) {
      sealed.end_ms = piece.back().time_ms;
      sealed.last_chunk_samples = piece.size();
    }
  }
  Status done = database_->SetSealed(series, next_batch_ - 1);
  if (!done) return Forward(done.error());
  const Result<std::int64_t> tiered = RewindTiers(series, state, first_ms);
  if (!tiered) return Forward(tiered.error());
  sealed.tiered_ms = *tiered;
  return sealed;
}

Status Writer::MarkRun(std::int64_t now_ms) {
  if (now_ms >= run_marked_ms_ && now_ms - run_marked_ms_ < kRunMarkMs) return {};
  Database::RunRow row;
  {
    const std::unique_lock lock(runs_mutex_);
    runs_.back().last_ms = now_ms;
    row = runs_.back();
    const std::int64_t cutoff_ms = now_ms - options_.hour_retention_ms;
    std::erase_if(runs_, [&](const auto& run) { return run.last_ms < cutoff_ms; });
  }
  run_marked_ms_ = now_ms;
  return database_->PutRun(row);
}

void Writer::Finish(const Done& work) {
  {
    const std::unique_lock lock(head_.mutex);
    for (const SeriesId id : new_series_) {
      const auto at = head_.series.find(id);
      if (at != head_.series.end()) at->second.stored = true;
    }
    for (const Tiered& tiered : work.tiered) {
      const auto at = head_.series.find(tiered.series);
      if (at == head_.series.end()) continue;
      at->second.tiered_ms = tiered.until_ms;
      at->second.tier_queued = false;
    }
    for (const Sealed& seal : work.sealed) {
      SeriesState& state = head_.series.at(seal.series);
      state.samples = {};
      state.sealed_end_ms = seal.end_ms;
      state.last_chunk_samples = seal.last_chunk_samples;
      state.tiered_ms = seal.tiered_ms;
      state.first_batch = 0;
      state.queued = false;
    }
    for (const SeriesId id : work.removed) head_.Remove(id);
  }
  due_.erase(due_.begin(), due_.begin() + static_cast<std::ptrdiff_t>(work.sealed.size()));
  tier_due_.erase(tier_due_.begin(),
                  tier_due_.begin() + static_cast<std::ptrdiff_t>(work.tiered.size()));
  new_series_.clear();
  unsaved_.clear();
  unsaved_bytes_ = 0;
  removable_batch_ = 0;
  syncer_->Written();
  if (!counters_.saving.exchange(true)) LogInfo("history: {}: saved again", options_.path);
}

void Writer::Failed(const Error& why) {
  ++counters_.write_failures;
  if (counters_.saving.exchange(false)) {
    LogError("history: {}; samples are kept in memory until it can be written again", why.message);
  }
  while (unsaved_bytes_ > kMaxUnsavedBytes) {
    unsaved_bytes_ -= unsaved_.front().data.size();
    counters_.dropped_unsaved += unsaved_.front().samples;
    unsaved_.pop_front();
  }
  const std::unique_lock lock(head_.mutex);
  for (const SeriesId id : due_) {
    std::vector<Sample>& samples = head_.series.at(id).samples;
    if (samples.size() <= kMaxHeadSamples) continue;
    const std::size_t excess = samples.size() - kMaxHeadSamples;
    samples.erase(samples.begin(), samples.begin() + static_cast<std::ptrdiff_t>(excess));
    counters_.dropped_memory += excess;
  }
}

std::vector<Run> Writer::Runs(std::int64_t from_ms, std::int64_t to_ms) const {
  const std::shared_lock lock(runs_mutex_);
  std::vector<Run> runs;
  for (std::size_t i = 0; i < runs_.size(); ++i) {
    Run run{runs_[i].start_ms, runs_[i].last_ms, runs_[i].stopped};
    if (i + 1 == runs_.size()) run.last_ms = std::max(run.last_ms, options_.clock->NowMs());
    if (run.last_ms >= from_ms && run.start_ms <= to_ms) runs.push_back(run);
  }
  return runs;
}

}  // namespace atalaya::history
