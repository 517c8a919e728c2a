#include <array>
#include <cmath>
#include <vector>

#include "promql/functions.h"
#include "promql/statistics.h"

namespace atalaya::promql {
namespace {

// The values of the window, in a buffer that the next call on this thread takes over.
const std::vector<double>& Values(const Window& window) {
  thread_local std::vector<double> values;
  values.clear();
  for (const telemetry::Sample& sample : window.samples) values.push_back(sample.value);
  return values;
}

// A statistic of the values, whatever their times.
template <double (*kStatistic)(std::span<const double>)>
std::optional<double> Over(const Window& window) {
  return kStatistic(Values(window));
}

double StandardDeviation(std::span<const double> values) { return std::sqrt(Variance(values)); }

std::optional<double> Count(const Window& w) { return static_cast<double>(w.samples.size()); }
std::optional<double> Last(const Window& w) { return w.samples.back().value; }
std::optional<double> Present(const Window& /*window*/) { return 1; }
std::optional<double> QuantileOver(const Window& window) {
  return Quantile(window.parameter, Values(window));
}

using telemetry::Column;
using Then = FromBuckets::Then;

constexpr Function Ranged(std::string_view name, WindowFunction window, FromBuckets from = {}) {
  Function function{.name = name, .signature = "m"};
  function.window = window;
  function.from_buckets = from;
  return function;
}

constexpr Function kLast{.name = "last_over_time",
                         .signature = "m",
                         .window = Last,
                         .keeps_name = true,
                         .from_buckets = {Column::kLast, Then::kLast}};
constexpr Function kQuantile{
    .name = "quantile_over_time", .signature = "sm", .window = QuantileOver};

constexpr std::array kOverTimeFunctions = {
    Ranged("avg_over_time", Over<Mean>, {Column::kSum, Then::kMean}),
    Ranged("count_over_time", Count, {Column::kCount, Then::kSum}),
    kLast,
    Ranged("max_over_time", Over<Maximum>, {Column::kMost, Then::kMost}),
    Ranged("min_over_time", Over<Minimum>, {Column::kLeast, Then::kLeast}),
    Ranged("present_over_time", Present, {Column::kCount, Then::kPresent}),
    kQuantile,
    Ranged("stddev_over_time", Over<StandardDeviation>),
    Ranged("stdvar_over_time", Over<Variance>),
    Ranged("sum_over_time", Over<Sum>, {Column::kSum, Then::kSum}),
};

}  // namespace

std::span<const Function> OverTimeFunctions() { return kOverTimeFunctions; }

}  // namespace atalaya::promql
