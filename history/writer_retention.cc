// What is too old, or too much, goes.

#include <algorithm>

#include "base/log.h"
#include "history/writer.h"

namespace atalaya::history {
namespace {

constexpr std::int64_t kStepsOfACut =
    20;  // Over the limit, such a share of the oldest goes at once.

}  // namespace

// By rising width: samples, minutes, hours.
std::array<std::int64_t, 3> Writer::Cutoffs(std::int64_t now_ms) const {
  const std::int64_t kept[] = {options_.retention_ms, options_.minute_retention_ms,
                               options_.hour_retention_ms};
  std::array<std::int64_t, 3> cutoffs{};
  for (std::size_t i = 0; i < cutoffs.size(); ++i) {
    cutoffs[i] = std::max<std::int64_t>({now_ms - kept[i], cut_for_bytes_ms_[i], 0});
  }
  return cutoffs;
}

// Where the file holds more than it may, moves a cut forward and has everything looked at.
Status Writer::CheckSize(std::int64_t now_ms) {
  if (!database_) return {};
  const Result<std::uint64_t> used = database_->UsedBytes();
  if (!used) return Forward(used.error());
  counters_.file_bytes = *used;
  if (options_.retention_bytes == 0 || *used <= options_.retention_bytes || !sweep_.empty()) {
    return {};
  }
  const std::array<std::int64_t, 3> cutoffs = Cutoffs(now_ms);
  for (std::size_t i = 0; i < cutoffs.size(); ++i) {
    const std::int64_t oldest_ms = std::max(cutoffs[i], oldest_ms_.load());
    const std::int64_t step_ms = std::max((now_ms - oldest_ms) / kStepsOfACut, kHourMs);
    if (oldest_ms + step_ms > now_ms - kMinKeptMs) continue;
    cut_for_bytes_ms_[i] = oldest_ms + step_ms;
    last_sweep_ms_ = now_ms - kRetentionSweepMs;
    return {};
  }
  if (!said_over_limit_) {
    LogWarning("history: {}: over the limit of {} bytes with what is never dropped", options_.path,
               options_.retention_bytes);
  }
  said_over_limit_ = true;
  return {};
}

// Looks at a share of all series, so that each is looked at once per kRetentionSweepMs.
Status Writer::SweepRetention(std::int64_t now_ms, std::vector<SeriesId>& removed) {
  const std::array<std::int64_t, 3> cutoffs = Cutoffs(now_ms);
  if (sweep_.empty() && now_ms - last_sweep_ms_ >= kRetentionSweepMs) {
    last_sweep_ms_ = now_ms;
    for (const auto& [id, state] : head_.series) {
      if (state.first_ms < cutoffs[0]) sweep_.push_back(id);
    }
    Status done = database_->RemoveRunsBefore(now_ms - options_.hour_retention_ms);
    if (!done) return done;
  }
  for (std::size_t i = 0; i < kMaxSealsPerFlush && !sweep_.empty(); ++i) {
    const SeriesId id = sweep_.back();
    sweep_.pop_back();
    const auto at = head_.series.find(id);
    if (at == head_.series.end()) continue;
    Status done = RemoveOld(id, at->second, cutoffs);
    if (!done) return done;
    const std::int64_t last_ms = at->second.last_ms;
    const bool gone =
        std::all_of(cutoffs.begin(), cutoffs.end(),
                    [last_ms](std::int64_t cutoff_ms) { return last_ms < cutoff_ms; });
    if (!gone || !at->second.samples.empty()) continue;
    removed.push_back(id);
    if (done = database_->RemoveSeries(id); !done) return done;
  }
  return {};
}

Status Writer::RemoveOld(SeriesId id, const SeriesState& state,
                         const std::array<std::int64_t, 3>& cutoffs) {
  // Samples stay until the tiers have them.
  const std::int64_t raw_ms = std::min(cutoffs[0], state.tiered_ms + 1);
  const Result<std::int64_t> chunks = database_->RemoveChunksBefore(id, raw_ms);
  if (!chunks) return Forward(chunks.error());
  counters_.retention_removed += static_cast<std::uint64_t>(*chunks);
  for (const Tier tier : kTiers) {
    const auto place = static_cast<std::size_t>(tier) + 1;
    if (Status done = database_->tiers().RemoveBefore(tier, id, cutoffs[place]); !done) return done;
  }
  return {};
}

std::vector<telemetry::Depth> Writer::Depths() const {
  const std::array<std::int64_t, 3> cutoffs = Cutoffs(options_.clock->NowMs());
  const std::int64_t widths[] = {0, kMinuteMs, kHourMs};
  std::vector<telemetry::Depth> depths;
  for (std::size_t i = 0; i < cutoffs.size(); ++i) {
    depths.push_back({widths[i]});
    // While nothing was removed yet, it reaches back to the beginning.
    if (oldest_ms_ < cutoffs[i]) depths.back().from_ms = cutoffs[i];
  }
  return depths;
}

}  // namespace atalaya::history
