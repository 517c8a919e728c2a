// Summing up what is sealed by minutes and hours.

#include <algorithm>

#include "history/writer.h"

namespace atalaya::history {
namespace {

using telemetry::Sample;

// Up to where all of the series' samples are in chunks, as a whole hour. A series that ended has
// its last, partial hour summed up too; should it go on, that hour is done again.
std::int64_t SummableUntil(const SeriesState& state, std::int64_t now_ms) {
  if (state.sealed_end_ms < 0) return 0;
  const std::int64_t hour_end_ms = BucketEnd(state.sealed_end_ms, kHourMs);
  const bool over = state.samples.empty() && now_ms > hour_end_ms + kHourMs;
  return over ? hour_end_ms : state.sealed_end_ms / kHourMs * kHourMs;
}

}  // namespace

// Finds the series that have an hour to be summed up.
void Writer::ScanTiers(std::int64_t now_ms) {
  for (auto& [id, state] : head_.series) {
    if (state.tier_queued || SummableUntil(state, now_ms) <= state.tiered_ms) continue;
    state.tier_queued = true;
    tier_due_.push_back(id);
  }
}

Status Writer::SumUpDue(std::int64_t now_ms, std::vector<Tiered>& tiered) {
  for (std::size_t i = 0; i < std::min(tier_due_.size(), kMaxTiersPerFlush); ++i) {
    const SeriesId id = tier_due_[i];
    const auto at = head_.series.find(id);
    if (at == head_.series.end()) {
      tiered.push_back({id, 0});
      continue;
    }
    // One that is about to be sealed is found again by the next scan.
    Result<std::int64_t> until =
        at->second.queued ? at->second.tiered_ms : SumUp(id, at->second, now_ms);
    if (!until) return Forward(until.error());
    tiered.push_back({id, *until});
  }
  return {};
}

// Sums up at most a day of one series, from where its tiers end; returns where they end then.
Result<std::int64_t> Writer::SumUp(SeriesId series, const SeriesState& state, std::int64_t now_ms) {
  std::int64_t from_ms = state.tiered_ms;
  if (from_ms == 0) from_ms = std::max<std::int64_t>(state.first_ms - 1, 0) / kHourMs * kHourMs;
  const std::int64_t to_ms = std::min(SummableUntil(state, now_ms), from_ms + kMaxTierStepMs);
  std::uint64_t damaged = 0;
  const auto chunks = database_->Chunks(series, from_ms, to_ms, damaged);
  if (!chunks) return Forward(chunks.error());
  counters_.damaged_rows += damaged;
  std::optional<Sample> before;
  std::vector<Sample> samples;
  for (const Database::Chunk& chunk : *chunks) {
    for (const Sample& sample : chunk.samples) {
      if (sample.time_ms > to_ms) break;
      if (sample.time_ms > from_ms) {
        samples.push_back(sample);
      } else if (!telemetry::IsStaleMarker(sample.value)) {
        before = sample;
      }
    }
  }
  for (const Tier tier : kTiers) {
    BucketBuilder builder(WidthMs(tier), before);
    for (const Sample& sample : samples) builder.Add(sample);
    Status done = database_->tiers().Replace(tier, series, from_ms, to_ms, builder.Take());
    if (!done) return Forward(done.error());
  }
  if (Status done = database_->SetTiered(series, to_ms); !done) return Forward(done.error());
  return to_ms;
}

// Late samples: what the tiers say from their hour on is summed up again.
Result<std::int64_t> Writer::RewindTiers(SeriesId series, const SeriesState& state,
                                         std::int64_t first_ms) {
  if (first_ms > state.tiered_ms) return state.tiered_ms;
  const std::int64_t until_ms = std::max<std::int64_t>(first_ms - 1, 0) / kHourMs * kHourMs;
  if (Status done = database_->SetTiered(series, until_ms); !done) return Forward(done.error());
  return until_ms;
}

}  // namespace atalaya::history
