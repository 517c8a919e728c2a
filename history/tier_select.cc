#include "history/tier_select.h"

#include <algorithm>
#include <mutex>

#include "history/store.h"

namespace atalaya::history {
namespace {

using telemetry::EarlierSample;
using telemetry::Sample;
using telemetry::SelectRequest;
using telemetry::SeriesSamples;

// What memory says of one series: its head, and up to where the tiers go.
struct TierPart {
  SeriesId id = 0;
  std::int64_t tiered_ms = 0;
  std::int64_t sealed_end_ms = -1;
  std::vector<Sample> head;
  SeriesSamples series;
};

Result<std::vector<TierPart>> FromMemory(const Head& head, const SelectRequest& request) {
  std::vector<TierPart> parts;
  const std::shared_lock lock(head.mutex);
  const auto ids = head.index.Find(request.matchers);
  if (!ids) return Forward(ids.error());
  for (const SeriesId id : *ids) {
    const SeriesState& state = head.series.at(id);
    if (state.last_ms < request.from_ms - request.bucket_ms || state.first_ms > request.to_ms) {
      continue;
    }
    const auto end = std::upper_bound(state.samples.begin(), state.samples.end(),
                                      Sample{request.to_ms, 0}, EarlierSample);
    parts.push_back({id,
                     state.tiered_ms,
                     state.sealed_end_ms,
                     {state.samples.begin(), end},
                     {*state.labels, {}}});
  }
  return parts;
}

// Behind the tiers: the samples after `after_ms`, summed up.
Status SumUpRest(Database& database, const SelectRequest& request, std::int64_t after_ms,
                 TierPart& part, std::uint64_t& damaged) {
  std::vector<Sample> samples;
  if (part.sealed_end_ms > after_ms) {
    Status done = database.ChunkSamples(part.id, after_ms, request.to_ms, samples, damaged);
    if (!done) return done;
  }
  MergeSamples(part.head, samples);
  std::optional<Sample> before;
  auto next = samples.begin();
  for (; next != samples.end() && next->time_ms <= after_ms; ++next) {
    if (!telemetry::IsStaleMarker(next->value)) before = *next;
  }
  BucketBuilder builder(request.bucket_ms, before);
  for (; next != samples.end(); ++next) builder.Add(*next);
  std::vector<Bucket> buckets = builder.Take();
  // The one under way ends after the range.
  std::erase_if(buckets, [&](const Bucket& bucket) {
    return bucket.end_ms < request.from_ms || bucket.end_ms > request.to_ms;
  });
  AppendColumn(buckets, request.column, part.series.samples);
  return {};
}

Status ReadPart(Database& database, const SelectRequest& request, Tier tier, TierPart& part,
                std::uint64_t& damaged) {
  Status done =
      database.tiers().Read(tier, part.id, request.from_ms, std::min(request.to_ms, part.tiered_ms),
                            request.column, part.series.samples, damaged);
  if (!done) return done;
  const std::int64_t first_ms = std::max<std::int64_t>(request.from_ms - request.bucket_ms, 0);
  const std::int64_t after_ms =
      std::max(part.tiered_ms, first_ms / request.bucket_ms * request.bucket_ms);
  if (after_ms >= request.to_ms) return {};
  return SumUpRest(database, request, after_ms, part, damaged);
}

}  // namespace

void MergeSamples(std::span<const Sample> head, std::vector<Sample>& stored) {
  if (head.empty()) return;
  const bool behind = stored.empty() || stored.back().time_ms < head.front().time_ms;
  const auto count = static_cast<std::ptrdiff_t>(stored.size());
  stored.insert(stored.end(), head.begin(), head.end());
  if (behind) return;
  std::inplace_merge(stored.begin(), stored.begin() + count, stored.end(), EarlierSample);
  // A head that was moved to a chunk between the two reads is seen twice.
  stored.erase(std::unique(stored.begin(), stored.end(),
                           [](const Sample& a, const Sample& b) { return a.time_ms == b.time_ms; }),
               stored.end());
}

Result<std::vector<SeriesSamples>> SelectBuckets(const Head& head, Readers& readers,
                                                 std::uint64_t generation, Counters& counters,
                                                 const SelectRequest& request,
                                                 Status& read_failure) {
  if (request.bucket_ms != kMinuteMs && request.bucket_ms != kHourMs) {
    return Fail(ErrorCode::kInvalid, "no tier has buckets of {} ms", request.bucket_ms);
  }
  const Tier tier = request.bucket_ms == kMinuteMs ? Tier::kMinute : Tier::kHour;
  Result<std::vector<TierPart>> parts = FromMemory(head, request);
  if (!parts) return Forward(parts.error());
  std::uint64_t damaged = 0;
  std::uint64_t count = 0;
  bool over_limit = false;
  read_failure = readers.With(generation, [&](Database& database) -> Status {
    for (TierPart& part : *parts) {
      if (over_limit) break;
      Status done = ReadPart(database, request, tier, part, damaged);
      if (!done) return done;
      count += part.series.samples.size();
      over_limit = count > request.sample_limit;
    }
    return {};
  });
  counters.damaged_rows += damaged;
  if (over_limit) {
    return Fail(ErrorCode::kLimit, "the query reads more than {} samples", request.sample_limit);
  }
  std::vector<SeriesSamples> result;
  for (TierPart& part : *parts) {
    if (!part.series.samples.empty()) result.push_back(std::move(part.series));
  }
  return result;
}

}  // namespace atalaya::history
