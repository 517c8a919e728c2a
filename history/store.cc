#include "history/store.h"

#include <algorithm>
#include <bit>
#include <filesystem>
#include <mutex>
#include <set>
#include <shared_mutex>

#include "base/log.h"
#include "history/head.h"
#include "history/readers.h"
#include "history/tier_select.h"
#include "history/writer.h"

namespace atalaya::history {
namespace {

using telemetry::EarlierSample;
using telemetry::LabelledSample;
using telemetry::Labels;
using telemetry::Sample;
using telemetry::SelectRequest;
using telemetry::SeriesSample;
using telemetry::SeriesSamples;

bool SameBits(double a, double b) {
  return std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b);
}

bool LabelsAcceptable(const Labels& labels) {
  std::size_t bytes = 0;
  for (const auto& [name, value] : labels) bytes += name.size() + value.size();
  return labels.Has(telemetry::kMetricName) && bytes <= kMaxLabelBytes;
}

// The file holds nothing beyond.
SelectRequest WithinStore(SelectRequest request) {
  request.from_ms = std::clamp<std::int64_t>(request.from_ms, 0, kMaxTimeMs);
  request.to_ms = std::clamp<std::int64_t>(request.to_ms, -1, kMaxTimeMs);
  return request;
}

Status TooManySamples(const SelectRequest& request) {
  return Fail(ErrorCode::kLimit, "the query reads more than {} samples", request.sample_limit);
}

// A part of a query's answer that memory gave, and whether the file may hold more of it.
struct Part {
  SeriesId id;
  bool on_disk;
  SeriesSamples series;
};

}  // namespace

struct Store::Impl {
  explicit Impl(const StoreOptions& store_options)
      : options(store_options), readers(store_options.path) {}

  void Take(const LabelledSample& labelled, std::int64_t now_ms,
            std::unique_lock<std::shared_mutex>& lock);
  void Take(const SeriesSample& held, std::int64_t now_ms,
            std::unique_lock<std::shared_mutex>& lock);
  void Put(SeriesId id, SeriesState& state, const Sample& sample,
           std::unique_lock<std::shared_mutex>& lock);
  template <typename AnySample>
  Status Append(std::span<const AnySample> samples);
  SeriesState* FindOrAdd(const Labels& labels, SeriesId& id);
  bool Insert(SeriesId id, SeriesState& state, const Sample& sample,
              std::unique_lock<std::shared_mutex>& lock);
  bool Refused(const Sample& sample, std::int64_t now_ms);
  Result<std::vector<Part>> FromMemory(const SelectRequest& request) const;
  void ReadFailed(const Error& error) const;
  void NoteRead(const Status& done) const;

  template <typename Visit>
  void EachSeries(const Selectors& selectors, std::int64_t from_ms, std::int64_t to_ms,
                  const Visit& visit) const;

  const StoreOptions options;
  Head head;
  mutable Counters counters;
  mutable Readers readers;
  std::unique_ptr<Writer> writer;
  mutable std::atomic<bool> reading{true};  // The last read went well.
};

Store::Store(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Result<std::unique_ptr<Store>> Store::Open(const StoreOptions& asked) {
  StoreOptions options = asked;
  // SQLite keeps its log beside the file that a link leads to.
  std::error_code unknown;
  const auto path = std::filesystem::weakly_canonical(asked.path, unknown);
  if (!unknown) options.path = path;
  auto impl = std::make_unique<Impl>(options);
  auto writer = Writer::Open(impl->options, impl->head, impl->counters);
  if (!writer) return Forward(writer.error());
  impl->writer = std::move(*writer);
  return std::unique_ptr<Store>(new Store(std::move(impl)));
}

Store::~Store() {
  if (Status done = impl_->writer->Flush(); !done) {
    LogError("history: not everything could be saved: {}", done.error().message);
  }
}

Status Store::Append(std::span<const LabelledSample> samples) { return impl_->Append(samples); }
Status Store::AppendHeld(std::span<const SeriesSample> samples) { return impl_->Append(samples); }

template <typename AnySample>
Status Store::Impl::Append(std::span<const AnySample> samples) {
  const std::int64_t now_ms = options.clock->NowMs();
  {
    std::unique_lock lock(head.mutex);
    for (const AnySample& sample : samples) Take(sample, now_ms, lock);
  }
  return writer->Flush();
}

void Store::WhenDurable(std::function<void()> done) { impl_->writer->WhenDurable(std::move(done)); }

void Store::Impl::Take(const LabelledSample& labelled, std::int64_t now_ms,
                       std::unique_lock<std::shared_mutex>& lock) {
  if (Refused(labelled.sample, now_ms)) return;
  SeriesId id = 0;
  SeriesState* state = FindOrAdd(labelled.labels, id);
  if (state != nullptr) Put(id, *state, labelled.sample, lock);
}

void Store::Impl::Take(const SeriesSample& held, std::int64_t now_ms,
                       std::unique_lock<std::shared_mutex>& lock) {
  if (Refused(held.sample, now_ms)) return;
  SeriesId& id = held.series->store_id;
  // A series that was removed for its age comes back under another id.
  const auto known = head.series.find(id);
  SeriesState* state =
      known != head.series.end() ? &known->second : FindOrAdd(held.series->labels, id);
  if (state != nullptr) Put(id, *state, held.sample, lock);
}

void Store::Impl::Put(SeriesId id, SeriesState& state, const Sample& sample,
                      std::unique_lock<std::shared_mutex>& lock) {
  if (!Insert(id, state, sample, lock)) return;
  state.first_ms = std::min(state.first_ms, sample.time_ms);
  state.last_ms = std::max(state.last_ms, sample.time_ms);
  ++counters.accepted;
  writer->Note(id, state, sample);
}

bool Store::Impl::Refused(const Sample& sample, std::int64_t now_ms) {
  if (sample.time_ms > now_ms + kMaxAheadMs || sample.time_ms > kMaxTimeMs) {
    ++counters.refused_ahead;
    return true;
  }
  if (sample.time_ms < now_ms - options.accept_late_ms || sample.time_ms < 0) {
    ++counters.refused_too_old;
    return true;
  }
  return false;
}

SeriesState* Store::Impl::FindOrAdd(const Labels& labels, SeriesId& id) {
  const auto known = head.by_labels.find(labels);
  if (known != head.by_labels.end()) {
    id = known->second;
    return &head.series.at(id);
  }
  if (!LabelsAcceptable(labels)) {
    ++counters.refused_labels;
    return nullptr;
  }
  if (head.series.size() >= options.max_series || head.next_id >= kMaxSeriesId) {
    if (++counters.refused_series == 1) {
      LogWarning("history: max_series = {} reached; new series are refused", options.max_series);
    }
    return nullptr;
  }
  id = head.next_id;
  return &head.Add(id, labels);
}

// False where the time has a sample already.
bool Store::Impl::Insert(SeriesId id, SeriesState& state, const Sample& sample,
                         std::unique_lock<std::shared_mutex>& lock) {
  std::vector<Sample>& samples = state.samples;
  const auto at = std::lower_bound(samples.begin(), samples.end(), sample, EarlierSample);
  std::optional<double> known;
  if (at != samples.end() && at->time_ms == sample.time_ms) {
    known = at->value;
  } else if (sample.time_ms <= state.sealed_end_ms) {
    const auto offset = at - samples.begin();
    lock.unlock();  // Queries need not wait for this read; nobody else changes the head.
    const auto sealed = writer->SealedValue(id, sample.time_ms);
    lock.lock();
    if (!sealed) ReadFailed(sealed.error());
    if (sealed) known = *sealed;
    if (!known) samples.insert(samples.begin() + offset, sample);
  } else {
    samples.insert(at, sample);
  }
  if (known) ++(SameBits(*known, sample.value) ? counters.repeated : counters.refused_conflict);
  return !known;
}

Result<std::vector<Part>> Store::Impl::FromMemory(const SelectRequest& request) const {
  std::vector<Part> parts;
  std::uint64_t count = 0;
  const std::shared_lock lock(head.mutex);
  const auto ids = head.index.Find(request.matchers);
  if (!ids) return Forward(ids.error());
  for (const SeriesId id : *ids) {
    const SeriesState& state = head.series.at(id);
    if (state.last_ms < request.from_ms || state.first_ms > request.to_ms) continue;
    const auto begin = std::lower_bound(state.samples.begin(), state.samples.end(),
                                        Sample{request.from_ms, 0}, EarlierSample);
    const auto end =
        std::upper_bound(begin, state.samples.end(), Sample{request.to_ms, 0}, EarlierSample);
    const bool on_disk = state.sealed_end_ms >= request.from_ms;
    if (begin == end && !on_disk) continue;
    parts.push_back({id, on_disk, {*state.labels, {begin, end}}});
    count += static_cast<std::uint64_t>(end - begin);
    if (count > request.sample_limit) return Forward(TooManySamples(request).error());
  }
  return parts;
}

void Store::Impl::ReadFailed(const Error& error) const {
  ++counters.read_failures;
  if (reading.exchange(false)) {
    LogError("history: {}; queries go on with what is in memory", error.message);
  }
  if (error.code == ErrorCode::kDamaged) writer->ReportDamage();
}

void Store::Impl::NoteRead(const Status& done) const {
  if (!done) {
    ReadFailed(done.error());
  } else if (!reading.exchange(true)) {
    LogInfo("history: read again");
  }
}

Result<std::vector<SeriesSamples>> Store::Select(const SelectRequest& asked) const {
  std::vector<SeriesSamples> found;
  if (asked.bucket_ms != 0) {
    Status read;
    auto buckets = SelectBuckets(impl_->head, impl_->readers, impl_->writer->generation(),
                                 impl_->counters, WithinStore(asked), read);
    impl_->NoteRead(read);
    return buckets;
  }
  Status done = Each(asked, [&](Labels& labels, std::span<Sample> samples) -> Status {
    found.push_back({std::move(labels), {samples.begin(), samples.end()}});
    return {};
  });
  if (!done) return Forward(done.error());
  return found;
}

Status Store::Each(const SelectRequest& asked, const TakeSeries& take) const {
  if (asked.bucket_ms != 0) return SeriesSource::Each(asked, take);
  const SelectRequest request = WithinStore(asked);
  const std::uint64_t generation = impl_->writer->generation();
  // Memory first: what is moved to a chunk after this is then seen twice, never not at all.
  Result<std::vector<Part>> parts = impl_->FromMemory(request);
  if (!parts) return Forward(parts.error());
  std::uint64_t damaged = 0;
  std::uint64_t count = 0;
  std::size_t next = 0;
  std::vector<Sample> samples;  // Of one series after the other.
  Status taken;
  const auto hand_on = [&](Database* database) -> Status {
    for (; taken && next < parts->size(); ++next) {
      Part& part = (*parts)[next];
      samples.clear();
      if (part.on_disk && database != nullptr) {
        Status done =
            database->ChunkSamples(part.id, request.from_ms, request.to_ms, samples, damaged);
        if (!done) return done;
      }
      MergeSamples(part.series.samples, samples);
      const auto begin = std::lower_bound(samples.begin(), samples.end(),
                                          Sample{request.from_ms, 0}, EarlierSample);
      if (begin == samples.end()) continue;
      count += static_cast<std::uint64_t>(samples.end() - begin);
      taken = count > request.sample_limit ? TooManySamples(request)
                                           : take(part.series.labels, {begin, samples.end()});
    }
    return {};
  };
  const bool any_on_disk =
      std::any_of(parts->begin(), parts->end(), [](const Part& part) { return part.on_disk; });
  if (any_on_disk) {
    impl_->NoteRead(
        impl_->readers.With(generation, [&](Database& database) { return hand_on(&database); }));
  }
  impl_->counters.damaged_rows += damaged;
  (void)hand_on(nullptr);  // Where the disk failed, what memory has of the rest.
  return taken;
}

template <typename Visit>
void Store::Impl::EachSeries(const Selectors& selectors, std::int64_t from_ms, std::int64_t to_ms,
                             const Visit& visit) const {
  const std::shared_lock lock(head.mutex);
  std::set<SeriesId> ids;
  const Selectors everything(1);
  for (const auto& matchers : selectors.empty() ? everything : selectors) {
    const auto found = head.index.Find(matchers);
    if (found) ids.insert(found->begin(), found->end());
  }
  for (const SeriesId id : ids) {
    const SeriesState& state = head.series.at(id);
    if (state.last_ms >= from_ms && state.first_ms <= to_ms) visit(*state.labels);
  }
}

std::vector<Labels> Store::Series(const Selectors& selectors, std::int64_t from_ms,
                                  std::int64_t to_ms) const {
  std::vector<Labels> found;
  impl_->EachSeries(selectors, from_ms, to_ms,
                    [&](const Labels& labels) { found.push_back(labels); });
  std::sort(found.begin(), found.end());
  return found;
}

std::vector<std::string> Store::LabelNames(const Selectors& selectors, std::int64_t from_ms,
                                           std::int64_t to_ms) const {
  std::set<std::string> names;
  impl_->EachSeries(selectors, from_ms, to_ms, [&](const Labels& labels) {
    for (const auto& [label, value] : labels) names.emplace(label);
  });
  return {names.begin(), names.end()};
}

std::vector<std::string> Store::LabelValues(std::string_view name, const Selectors& selectors,
                                            std::int64_t from_ms, std::int64_t to_ms) const {
  std::set<std::string> values;
  impl_->EachSeries(selectors, from_ms, to_ms, [&](const Labels& labels) {
    if (labels.Has(name)) values.emplace(labels.Get(name));
  });
  return {values.begin(), values.end()};
}

std::vector<telemetry::Depth> Store::Depths() const { return impl_->writer->Depths(); }

std::vector<Run> Store::Runs(std::int64_t from_ms, std::int64_t to_ms) const {
  return impl_->writer->Runs(from_ms, to_ms);
}

StoreStats Store::Stats() const {
  const Counters& counters = impl_->counters;
  StoreStats stats;
  stats.accepted = counters.accepted;
  stats.repeated = counters.repeated;
  stats.refused_conflict = counters.refused_conflict;
  stats.refused_too_old = counters.refused_too_old;
  stats.refused_ahead = counters.refused_ahead;
  stats.refused_series = counters.refused_series;
  stats.refused_labels = counters.refused_labels;
  stats.dropped_unsaved = counters.dropped_unsaved;
  stats.dropped_memory = counters.dropped_memory;
  stats.write_failures = counters.write_failures;
  stats.read_failures = counters.read_failures;
  stats.damaged_rows = counters.damaged_rows;
  stats.files_set_aside = counters.files_set_aside;
  stats.retention_removed = counters.retention_removed;
  stats.file_bytes = counters.file_bytes;
  stats.saving = counters.saving;
  const std::shared_lock lock(impl_->head.mutex);
  stats.series = impl_->head.series.size();
  for (const auto& [id, state] : impl_->head.series) stats.head_samples += state.samples.size();
  return stats;
}

}  // namespace atalaya::history
