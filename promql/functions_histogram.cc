#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <unordered_map>

#include "promql/evaluator.h"
#include "promql/functions.h"
#include "promql/number_text.h"

namespace atalaya::promql {
namespace {

using telemetry::Labels;

constexpr std::string_view kBucketLabel = "le";
constexpr std::string_view kForcedMonotonicity =
    "input to histogram_quantile needed to be fixed for monotonicity (see "
    "https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile)";
constexpr double kSmallDelta = 1e-12;  // Relative; less is rounding and no real step down.

struct Bucket {
  double upper = 0;
  double count = 0;  // Cumulative.
};

// The series of one classic histogram.
struct Histogram {
  Labels labels;  // Without le and the name.
  std::string name;
  std::vector<std::pair<double, std::size_t>> series;  // Upper bound, index.
};

std::optional<double> ReadBound(std::string_view text) {
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  const auto number = ParseNumberText(text);
  if (!number || number->is_duration) return std::nullopt;
  return negative ? -number->value : number->value;
}

std::vector<Histogram> Gather(Evaluator& evaluator, const Evaluated& operand, Place place) {
  static const std::vector<std::string> kBy = {std::string(kBucketLabel)};
  std::vector<Histogram> histograms;
  std::unordered_map<Labels, std::size_t> index;
  for (std::size_t i = 0; i < operand.series.size(); ++i) {
    const Labels& labels = operand.series[i].labels;
    const std::string_view le = labels.Get(kBucketLabel);
    const auto bound = ReadBound(le);
    const std::string name(labels.Get(telemetry::kMetricName));
    if (!bound) {
      std::string text = fmt::format(
          "bucket label \"le\" is missing or has a malformed value of {}", QuotedText(le));
      if (!name.empty()) text += fmt::format(" for metric name {}", QuotedText(name));
      evaluator.Warn(text, place);
      continue;
    }
    // Two names are two histograms, although the result does not name them.
    Labels one = labels;
    one.Remove(kBucketLabel);
    const auto [it, fresh] = index.emplace(std::move(one), histograms.size());
    if (fresh) histograms.push_back({MatchLabels(labels, false, kBy), name, {}});
    histograms[it->second].series.emplace_back(*bound, i);
  }
  for (Histogram& histogram : histograms) {
    std::stable_sort(histogram.series.begin(), histogram.series.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
  }
  return histograms;
}

// The buckets at one step, equal bounds added up.
std::vector<Bucket> BucketsAt(const Histogram& histogram, const Evaluated& operand,
                              std::size_t step) {
  std::vector<Bucket> buckets;
  for (const auto& [upper, index] : histogram.series) {
    const double count = operand.series[index].values[step];
    if (IsAbsent(count)) continue;
    if (!buckets.empty() && buckets.back().upper == upper) {
      buckets.back().count += count;
    } else {
      buckets.push_back({upper, count});
    }
  }
  return buckets;
}

bool AlmostEqual(double a, double b) {
  if (a == b) return true;
  const double size = std::fabs(a) + std::fabs(b);
  if (size < std::numeric_limits<double>::min()) return true;
  return std::fabs(a - b) / std::min(size, std::numeric_limits<double>::max()) < kSmallDelta;
}

// Makes the counts rise. True where one fell by more than rounding.
bool MakeMonotonic(std::vector<Bucket>* buckets) {
  bool forced = false;
  double before = (*buckets)[0].count;
  for (std::size_t i = 1; i < buckets->size(); ++i) {
    double& count = (*buckets)[i].count;
    if (AlmostEqual(before, count)) {
      count = before;
    } else if (count < before) {
      count = before;
      forced = true;
    } else {
      before = count;
    }
  }
  return forced;
}

// Interpolates within the bucket that holds the q-quantile.
double BucketQuantile(double q, std::vector<Bucket> buckets, bool* forced) {
  const double nan = std::nan("");
  if (std::isnan(q)) return nan;
  if (q < 0) return -std::numeric_limits<double>::infinity();
  if (q > 1) return std::numeric_limits<double>::infinity();
  if (buckets.empty() || buckets.back().upper != std::numeric_limits<double>::infinity()) {
    return nan;
  }
  *forced = MakeMonotonic(&buckets);
  if (buckets.size() < 2 || buckets.back().count == 0) return nan;
  double rank = q * buckets.back().count;
  const auto it = std::find_if(buckets.begin(), buckets.end() - 1,
                               [rank](const Bucket& bucket) { return bucket.count >= rank; });
  if (it == buckets.end() - 1) return (it - 1)->upper;
  if (it == buckets.begin() && it->upper <= 0) return it->upper;
  double start = 0;
  double count = it->count;
  if (it != buckets.begin()) {
    start = (it - 1)->upper;
    count -= (it - 1)->count;
    rank -= (it - 1)->count;
  }
  return start + (it->upper - start) * (rank / count);
}

// How many observations are at most `value`, by interpolation.
double CountBelow(double value, const std::vector<Bucket>& buckets) {
  double below = 0;
  double lower = -std::numeric_limits<double>::infinity();
  for (std::size_t i = 0; i < buckets.size(); ++i) {
    const Bucket& bucket = buckets[i];
    // As in histogram_quantile, the first bucket begins at 0 where it can.
    if (i == 0 && bucket.upper > 0) lower = 0;
    if (value <= lower) return below;
    if (value < bucket.upper) {
      if (std::isinf(lower)) return bucket.count;
      if (std::isinf(bucket.upper)) return below;
      return below + (bucket.count - below) * (value - lower) / (bucket.upper - lower);
    }
    below = bucket.count;
    lower = bucket.upper;
  }
  return below;
}

double BucketFraction(double lower, double upper, const std::vector<Bucket>& buckets) {
  const double nan = std::nan("");
  if (buckets.empty() || buckets.back().upper != std::numeric_limits<double>::infinity()) {
    return nan;
  }
  const double total = buckets.back().count;
  if (total == 0 || std::isnan(lower) || std::isnan(upper)) return nan;
  if (lower >= upper) return 0;
  return (CountBelow(upper, buckets) - CountBelow(lower, buckets)) / total;
}

// Runs `compute(buckets, step, name)` over every histogram and step.
template <typename Compute>
Result<Evaluated> ForEachHistogram(Evaluator& evaluator, const Evaluated& operand, Place place,
                                   const Grid& grid, Compute compute) {
  Evaluated result;
  for (Histogram& histogram : Gather(evaluator, operand, place)) {
    if (Status good = evaluator.Charge(grid.steps); !good) return Forward(good.error());
    if (Status good = evaluator.Work(grid.steps * histogram.series.size()); !good) {
      return Forward(good.error());
    }
    StepSeries out{std::move(histogram.labels), std::vector<double>(grid.steps, Absent()), false};
    for (std::size_t step = 0; step < grid.steps; ++step) {
      std::vector<Bucket> buckets = BucketsAt(histogram, operand, step);
      if (!buckets.empty()) out.values[step] = compute(std::move(buckets), step, histogram.name);
    }
    result.series.push_back(std::move(out));
  }
  if (Status merged = evaluator.MergeAfterDrop(&result.series); !merged) {
    return Forward(merged.error());
  }
  DropEmpty(&result.series);
  return result;
}

Result<Evaluated> HistogramQuantile(Evaluator& evaluator, const Call& call, const Grid& grid) {
  Result<std::vector<double>> quantiles = evaluator.EvalScalar(*call.args[0], grid);
  if (!quantiles) return Forward(quantiles.error());
  Result<Evaluated> operand = evaluator.Eval(*call.args[1], grid);
  if (!operand) return operand;
  const Place place = call.args[1]->place;
  for (const double q : *quantiles) {
    if (q >= 0 && q <= 1) continue;
    evaluator.Warn(fmt::format("quantile value should be between 0 and 1, got {}", CompactText(q)),
                   call.args[0]->place);
  }
  return ForEachHistogram(
      evaluator, *operand, place, grid,
      [&](std::vector<Bucket> buckets, std::size_t step, const std::string& name) {
        bool forced = false;
        const double value = BucketQuantile((*quantiles)[step], std::move(buckets), &forced);
        if (forced) {
          std::string text(kForcedMonotonicity);
          if (!name.empty()) text += fmt::format(" for metric name {}", QuotedText(name));
          evaluator.Inform(text, place);
        }
        return value;
      });
}

Result<Evaluated> HistogramFraction(Evaluator& evaluator, const Call& call, const Grid& grid) {
  Result<std::vector<double>> lower = evaluator.EvalScalar(*call.args[0], grid);
  if (!lower) return Forward(lower.error());
  Result<std::vector<double>> upper = evaluator.EvalScalar(*call.args[1], grid);
  if (!upper) return Forward(upper.error());
  Result<Evaluated> operand = evaluator.Eval(*call.args[2], grid);
  if (!operand) return operand;
  return ForEachHistogram(
      evaluator, *operand, call.args[2]->place, grid,
      [&](const std::vector<Bucket>& buckets, std::size_t step, const std::string& /*name*/) {
        return BucketFraction((*lower)[step], (*upper)[step], buckets);
      });
}

// What only native histograms have. Float samples are passed over, and there is nothing else here.
Result<Evaluated> OfNativeHistogram(Evaluator& evaluator, const Call& call, const Grid& grid) {
  Result<Evaluated> operand = evaluator.Eval(*call.args[0], grid);
  if (!operand) return operand;
  return Evaluated{};
}

constexpr std::array<Function, 7> kHistogramFunctions = {
    Function{.name = "histogram_avg", .signature = "v", .special = OfNativeHistogram},
    Function{.name = "histogram_count", .signature = "v", .special = OfNativeHistogram},
    Function{.name = "histogram_fraction", .signature = "ssv", .special = HistogramFraction},
    Function{.name = "histogram_quantile", .signature = "sv", .special = HistogramQuantile},
    Function{.name = "histogram_stddev", .signature = "v", .special = OfNativeHistogram},
    Function{.name = "histogram_stdvar", .signature = "v", .special = OfNativeHistogram},
    Function{.name = "histogram_sum", .signature = "v", .special = OfNativeHistogram},
};

}  // namespace

std::span<const Function> HistogramFunctions() { return kHistogramFunctions; }

}  // namespace atalaya::promql
