// Range queries that read buckets instead of samples.

#include <algorithm>
#include <cmath>

#include "base/clock.h"
#include "promql/evaluator.h"

namespace atalaya::promql {
namespace {

using telemetry::Column;
using telemetry::Depth;
using telemetry::Sample;
using telemetry::SeriesSamples;

double TotalOf(std::span<const Sample> samples) {
  double sum = 0;
  for (const Sample& sample : samples) sum += sample.value;
  return sum;
}

double Reduce(FromBuckets::Then then, std::span<const Sample> samples, std::int64_t range_ms) {
  using Then = FromBuckets::Then;
  const auto less = [](const Sample& a, const Sample& b) {
    return a.value < b.value || (std::isnan(b.value) && !std::isnan(a.value));
  };
  switch (then) {
    case Then::kLeast:
      return std::min_element(samples.begin(), samples.end(), less)->value;
    case Then::kMost: {
      double most = samples[0].value;
      for (const Sample& sample : samples) {
        if (sample.value > most || std::isnan(most)) most = sample.value;
      }
      return most;
    }
    case Then::kLast:
      return samples.back().value;
    case Then::kPresent:
      return 1;
    case Then::kPerSecond:
      return TotalOf(samples) * 1000 / static_cast<double>(range_ms);
    case Then::kSum:
    case Then::kMean:
      break;
  }
  return TotalOf(samples);
}

// One series of buckets through the window, at every step.
Result<StepSeries> Slide(Evaluator& evaluator, FromBuckets::Then then, const BucketWindow& window,
                         SeriesSamples series, const Grid& grid) {
  if (Status good = evaluator.Charge(grid.steps); !good) return Forward(good.error());
  std::erase_if(series.samples,
                [](const Sample& sample) { return telemetry::IsStaleMarker(sample.value); });
  StepSeries out{std::move(series.labels), std::vector<double>(grid.steps, Absent()), false};
  SampleCursor cursor(series.samples);
  for (std::size_t i = 0; i < grid.steps; ++i) {
    const auto samples =
        cursor.Window(evaluator.ShiftedTime(window.selector.shift, grid.At(i)), window.range_ms);
    if (samples.empty()) continue;
    if (Status good = evaluator.Work(samples.size()); !good) return Forward(good.error());
    out.values[i] = Reduce(then, samples, window.range_ms);
  }
  return out;
}

Result<std::vector<StepSeries>> OneColumn(Evaluator& evaluator, FromBuckets from,
                                          const BucketWindow& window, const Grid& grid) {
  Result<std::vector<SeriesSamples>> input = evaluator.SelectBuckets(
      window.selector, grid, window.range_ms, window.bucket_ms, from.column);
  if (!input) return Forward(input.error());
  std::vector<StepSeries> columns;
  columns.reserve(input->size());
  for (SeriesSamples& series : *input) {
    Result<StepSeries> column = Slide(evaluator, from.then, window, std::move(series), grid);
    if (!column) return Forward(column.error());
    columns.push_back(std::move(*column));
  }
  return columns;
}

}  // namespace

std::int64_t Evaluator::ChooseBuckets(const Selector& selector, const Grid& grid,
                                      std::int64_t range_ms, Wants wants, Place place) {
  if (depths_.size() < 2) return 0;
  const std::int64_t from_ms = ShiftedTime(selector.shift, grid.from_ms) - range_ms;
  const std::int64_t step_ms = grid.steps > 1 ? grid.step_ms : 0;  // One time is read as it is.
  const Depth* chosen = &depths_.front();
  for (const Depth& depth : depths_) {
    if (wants == Wants::kSamples || depth.width_ms == 0) continue;
    const bool whole = wants == Wants::kLast || range_ms % depth.width_ms == 0;
    const bool fits = whole && depth.width_ms <= range_ms;
    if (wants == Wants::kWindow && !fits) continue;
    const bool reaches_further = chosen->from_ms > from_ms && depth.from_ms < chosen->from_ms;
    if ((fits && depth.width_ms <= step_ms && depth.from_ms <= from_ms) || reaches_further) {
      chosen = &depth;
    }
  }
  const bool older_is_there = std::any_of(depths_.begin(), depths_.end(), [&](const Depth& depth) {
    return depth.from_ms < chosen->from_ms;
  });
  if (chosen->from_ms > from_ms && older_is_there) {
    Warn(fmt::format("{} reach back to {} only; what is older is summed up by wider steps, which "
                     "this cannot be made of",
                     chosen->width_ms == 0 ? "samples" : "sums of this width",
                     FormatRfc3339(chosen->from_ms)),
         place);
  }
  return chosen->width_ms;
}

Result<std::vector<SeriesSamples>> Evaluator::SelectBuckets(const Selector& selector,
                                                            const Grid& grid, std::int64_t range_ms,
                                                            std::int64_t bucket_ms, Column column) {
  telemetry::SelectRequest request = RequestFor(selector, grid, range_ms);
  request.bucket_ms = bucket_ms;
  request.column = column;
  return Read(std::move(request));
}

Result<std::vector<StepSeries>> EvalOverBuckets(Evaluator& evaluator, const FromBuckets& from,
                                                const BucketWindow& window, const Grid& grid) {
  Result<std::vector<StepSeries>> columns = OneColumn(evaluator, from, window, grid);
  if (!columns || from.then != FromBuckets::Then::kMean) return columns;
  const Result<std::vector<StepSeries>> counts =
      OneColumn(evaluator, {Column::kCount, FromBuckets::Then::kSum}, window, grid);
  if (!counts) return Forward(counts.error());
  auto count = counts->begin();
  for (StepSeries& sums : *columns) {
    while (count != counts->end() && count->labels < sums.labels) ++count;
    const bool counted = count != counts->end() && count->labels == sums.labels;
    for (std::size_t i = 0; i < grid.steps; ++i) {
      if (IsAbsent(sums.values[i])) continue;
      sums.values[i] = counted ? sums.values[i] / count->values[i] : Absent();
    }
  }
  return columns;
}

}  // namespace atalaya::promql
