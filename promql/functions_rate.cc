#include <array>
#include <cmath>

#include "promql/functions.h"
#include "promql/statistics.h"

namespace atalaya::promql {
namespace {

using telemetry::Sample;

constexpr double kExtrapolateBelow = 1.1;  // Of the mean distance between samples.

// What a counter would have gained had it never been reset.
double CounterGain(std::span<const Sample> samples) {
  double gain = samples.back().value - samples.front().value;
  for (std::size_t i = 1; i < samples.size(); ++i) {
    if (samples[i].value < samples[i - 1].value) gain += samples[i - 1].value;
  }
  return gain;
}

struct Extrapolation {
  bool counter = false;
  bool per_second = false;
};

// The change over the samples, stretched to the edges of the window: to the very edge where the
// first or last sample is near it, else by half a distance; a counter not below zero.
std::optional<double> Extrapolate(const Window& window, Extrapolation kind) {
  const std::span<const Sample> samples = window.samples;
  if (samples.size() < 2) return std::nullopt;
  const double change =
      kind.counter ? CounterGain(samples) : samples.back().value - samples.front().value;
  const auto seconds = [](std::int64_t ms) { return static_cast<double>(ms) / 1000; };
  double to_start = seconds(samples.front().time_ms - (window.end_ms - window.range_ms));
  double to_end = seconds(window.end_ms - samples.back().time_ms);
  const double sampled = seconds(samples.back().time_ms - samples.front().time_ms);
  const double distance = sampled / static_cast<double>(samples.size() - 1);
  if (to_start >= distance * kExtrapolateBelow) to_start = distance / 2;
  if (kind.counter && change > 0 && samples.front().value >= 0) {
    const double to_zero = sampled * (samples.front().value / change);
    if (to_zero < to_start) to_start = to_zero;
  }
  if (to_end >= distance * kExtrapolateBelow) to_end = distance / 2;
  double factor = (sampled + to_start + to_end) / sampled;
  if (kind.per_second) factor /= seconds(window.range_ms);
  return change * factor;
}

std::optional<double> Rate(const Window& w) {
  return Extrapolate(w, {.counter = true, .per_second = true});
}
std::optional<double> Increase(const Window& w) { return Extrapolate(w, {.counter = true}); }
std::optional<double> Delta(const Window& w) { return Extrapolate(w, {}); }

// The last two samples.
std::optional<double> Instant(const Window& window, bool rate) {
  if (window.samples.size() < 2) return std::nullopt;
  const Sample& last = window.samples.back();
  const Sample& before = window.samples[window.samples.size() - 2];
  const std::int64_t distance_ms = last.time_ms - before.time_ms;
  if (distance_ms == 0) return std::nullopt;
  const bool reset = rate && last.value < before.value;
  const double change = reset ? last.value : last.value - before.value;
  return rate ? change / (static_cast<double>(distance_ms) / 1000) : change;
}

std::optional<double> Irate(const Window& window) { return Instant(window, true); }
std::optional<double> Idelta(const Window& window) { return Instant(window, false); }

struct Line {
  double slope = 0;
  double intercept = 0;  // At `zero_ms`.
};

// The least-squares line through the samples.
Line Fit(std::span<const Sample> samples, std::int64_t zero_ms) {
  CompensatedSum x_sum;
  CompensatedSum y_sum;
  CompensatedSum xy_sum;
  CompensatedSum xx_sum;
  bool constant = true;
  for (const Sample& sample : samples) {
    constant = constant && sample.value == samples.front().value;
    const double x = static_cast<double>(sample.time_ms - zero_ms) / 1000;
    x_sum.Add(x);
    y_sum.Add(sample.value);
    xy_sum.Add(x * sample.value);
    xx_sum.Add(x * x);
  }
  if (constant) {
    if (std::isinf(samples.front().value)) return {std::nan(""), std::nan("")};
    return {0, samples.front().value};
  }
  const auto total = [](const CompensatedSum& s) { return s.sum() + s.compensation(); };
  const double n = static_cast<double>(samples.size());
  const double covariance = total(xy_sum) - total(x_sum) * total(y_sum) / n;
  const double variance = total(xx_sum) - total(x_sum) * total(x_sum) / n;
  const double slope = covariance / variance;
  return {slope, total(y_sum) / n - slope * total(x_sum) / n};
}

std::optional<double> Deriv(const Window& window) {
  if (window.samples.size() < 2) return std::nullopt;
  return Fit(window.samples, window.samples.front().time_ms).slope;
}

std::optional<double> PredictLinear(const Window& window) {
  if (window.samples.size() < 2) return std::nullopt;
  const Line line = Fit(window.samples, window.step_ms);
  return line.slope * window.parameter + line.intercept;
}

std::optional<double> Changes(const Window& window) {
  double changes = 0;
  for (std::size_t i = 1; i < window.samples.size(); ++i) {
    const double before = window.samples[i - 1].value;
    const double now = window.samples[i].value;
    if (now != before && !(std::isnan(now) && std::isnan(before))) ++changes;
  }
  return changes;
}

std::optional<double> Resets(const Window& window) {
  double resets = 0;
  for (std::size_t i = 1; i < window.samples.size(); ++i) {
    if (window.samples[i].value < window.samples[i - 1].value) ++resets;
  }
  return resets;
}

constexpr Function OfChange(std::string_view name, WindowFunction window, bool for_counters = false,
                            FromBuckets from = {}) {
  Function function{.name = name, .signature = "m"};
  function.window = window;
  function.for_counters = for_counters;
  function.from_buckets = from;
  return function;
}

constexpr Function kPredictLinear{
    .name = "predict_linear", .signature = "ms", .window = PredictLinear, .time_dependent = true};

constexpr std::array kRateFunctions = {
    OfChange("changes", Changes),
    OfChange("delta", Delta),
    OfChange("deriv", Deriv),
    OfChange("idelta", Idelta),
    OfChange("irate", Irate),
    OfChange("increase", Increase, true, {telemetry::Column::kIncrease, FromBuckets::Then::kSum}),
    kPredictLinear,
    OfChange("rate", Rate, true, {telemetry::Column::kIncrease, FromBuckets::Then::kPerSecond}),
    OfChange("resets", Resets),
};

}  // namespace

std::span<const Function> RateFunctions() { return kRateFunctions; }

}  // namespace atalaya::promql
