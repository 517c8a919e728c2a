#include <algorithm>
#include <span>

#include "promql/evaluator.h"
#include "promql/functions.h"
#include "promql/number_text.h"

namespace atalaya::promql {
namespace {

using telemetry::Column;
using telemetry::Sample;
using telemetry::SeriesSamples;

bool NamedLikeCounter(std::string_view name) {
  return name.ends_with("_total") || name.ends_with("_sum") || name.ends_with("_count") ||
         name.ends_with("_bucket");
}

const TimeShift& ShiftOf(const Expr& matrix) {
  const Expr& expr = WithoutParens(matrix);
  if (expr.kind == Expr::Kind::kSubquery) return static_cast<const Subquery&>(expr).shift;
  return static_cast<const RangeSelector&>(expr).selector->shift;
}

std::int64_t RangeOf(const Expr& matrix) {
  const Expr& expr = WithoutParens(matrix);
  if (expr.kind == Expr::Kind::kSubquery) return static_cast<const Subquery&>(expr).range_ms;
  return static_cast<const RangeSelector&>(expr).range_ms;
}

// One series through a range function, at every step.
Result<std::vector<double>> SlideWindow(Evaluator& evaluator, const Function& function,
                                        const Expr& matrix, std::span<const Sample> samples,
                                        const std::vector<double>& parameter, const Grid& grid) {
  if (Status good = evaluator.Charge(grid.steps); !good) return Forward(good.error());
  const TimeShift& shift = ShiftOf(matrix);
  Window window;
  window.range_ms = RangeOf(matrix);
  std::vector<double> values(grid.steps, Absent());
  SampleCursor cursor(samples);
  for (std::size_t i = 0; i < grid.steps; ++i) {
    window.step_ms = grid.At(i);
    window.end_ms = evaluator.ShiftedTime(shift, window.step_ms);
    window.samples = cursor.Window(window.end_ms, window.range_ms);
    if (window.samples.empty()) continue;
    if (Status good = evaluator.Work(window.samples.size()); !good) return Forward(good.error());
    if (!parameter.empty()) window.parameter = parameter[i];
    if (const auto value = function.window(window)) values[i] = *value;
  }
  return values;
}

// The function's values, a column per series: from buckets where they serve, else from samples.
Result<std::vector<StepSeries>> WindowColumns(Evaluator& evaluator, const Call& call,
                                              const Expr& matrix,
                                              const std::vector<double>& parameter,
                                              const Grid& grid) {
  const Function& function = *call.function;
  const Expr& expr = WithoutParens(matrix);
  std::vector<StepSeries> columns;
  const auto take = [&](telemetry::Labels& labels, std::span<const Sample> samples) -> Status {
    if (samples.empty()) return {};
    Result<std::vector<double>> values =
        SlideWindow(evaluator, function, matrix, samples, parameter, grid);
    if (!values) return Forward(values.error());
    columns.push_back({std::move(labels), std::move(*values), false});
    return {};
  };
  if (expr.kind == Expr::Kind::kRange) {
    const auto& range = static_cast<const RangeSelector&>(expr);
    const auto wants = function.from_buckets.column == Column::kRaw ? Evaluator::Wants::kSamples
                                                                    : Evaluator::Wants::kWindow;
    const std::int64_t bucket_ms =
        evaluator.ChooseBuckets(*range.selector, grid, range.range_ms, wants, call.place);
    if (bucket_ms != 0) {
      return EvalOverBuckets(evaluator, function.from_buckets,
                             {*range.selector, range.range_ms, bucket_ms}, grid);
    }
    const auto take_without_stale = [&](telemetry::Labels& labels, std::span<Sample> samples) {
      const auto end = std::remove_if(samples.begin(), samples.end(), [](const Sample& sample) {
        return telemetry::IsStaleMarker(sample.value);
      });
      return take(labels, {samples.begin(), end});
    };
    Status done =
        evaluator.Each(*range.selector, grid, range.range_ms, 0, Column::kRaw, take_without_stale);
    if (!done) return Forward(done.error());
    SortByLabels(&columns);
    return columns;
  }
  Result<std::vector<SeriesSamples>> input = evaluator.EvalMatrix(expr, grid);
  if (!input) return Forward(input.error());
  for (SeriesSamples& series : *input) {
    if (Status done = take(series.labels, series.samples); !done) return Forward(done.error());
  }
  return columns;
}

Result<Evaluated> CallWindow(Evaluator& evaluator, const Call& call, const Grid& grid) {
  const Function& function = *call.function;
  const Expr* matrix = nullptr;
  std::vector<double> parameter;
  for (const ExprPtr& arg : call.args) {
    if (arg->type == ValueType::kMatrix) {
      matrix = arg.get();
      continue;
    }
    Result<std::vector<double>> values = evaluator.EvalScalar(*arg, grid);
    if (!values) return Forward(values.error());
    parameter = std::move(*values);
  }
  if (function.name == "quantile_over_time") {
    for (const double q : parameter) {
      if (q >= 0 && q <= 1) continue;
      evaluator.Warn(
          fmt::format("quantile value should be between 0 and 1, got {}", CompactText(q)),
          call.args[0]->place);
    }
  }
  Result<std::vector<StepSeries>> columns =
      WindowColumns(evaluator, call, *matrix, parameter, grid);
  if (!columns) return Forward(columns.error());
  Evaluated result;
  result.series.reserve(columns->size());
  for (StepSeries& series : *columns) {
    if (std::all_of(series.values.begin(), series.values.end(), IsAbsent)) continue;
    const std::string_view name = series.labels.Get(telemetry::kMetricName);
    if (function.for_counters && !name.empty() && !NamedLikeCounter(name)) {
      evaluator.Inform(fmt::format("metric might not be a counter, name does not end in "
                                   "_total/_sum/_count/_bucket: {}",
                                   QuotedText(name)),
                       call.args[0]->place);
    }
    result.series.push_back(std::move(series));
    if (!function.keeps_name) evaluator.DropName(&result.series.back());
  }
  if (!function.keeps_name) {
    if (Status merged = evaluator.MergeAfterDrop(&result.series); !merged) {
      return Forward(merged.error());
    }
  }
  return result;
}

// The vector that an element function works on: its argument, or the step's time in seconds.
Result<Evaluated> ElementOperand(Evaluator& evaluator, const Call& call, const Grid& grid) {
  if (!call.args.empty()) return evaluator.Eval(*call.args[0], grid);
  Evaluated time;
  time.series.resize(1);
  for (std::size_t i = 0; i < grid.steps; ++i) {
    time.series[0].values.push_back(static_cast<double>(grid.At(i)) / 1000);
  }
  return time;
}

Result<Evaluated> CallElement(Evaluator& evaluator, const Call& call, const Grid& grid) {
  const Function& function = *call.function;
  Result<Evaluated> operand = ElementOperand(evaluator, call, grid);
  if (!operand) return operand;
  std::vector<std::vector<double>> parameters;
  for (std::size_t i = 1; i < call.args.size(); ++i) {
    Result<std::vector<double>> values = evaluator.EvalScalar(*call.args[i], grid);
    if (!values) return Forward(values.error());
    parameters.push_back(std::move(*values));
  }
  if (parameters.empty()) parameters.emplace_back(grid.steps, function.default_parameter);
  std::vector<double> at_step(parameters.size());
  for (std::size_t step = 0; step < grid.steps; ++step) {
    for (std::size_t p = 0; p < parameters.size(); ++p) at_step[p] = parameters[p][step];
    for (StepSeries& series : operand->series) {
      double& value = series.values[step];
      if (!IsAbsent(value)) value = function.element(value, at_step.data());
    }
  }
  for (StepSeries& series : operand->series) evaluator.DropName(&series);
  if (Status merged = evaluator.MergeAfterDrop(&operand->series); !merged) {
    return Forward(merged.error());
  }
  DropEmpty(&operand->series);
  return operand;
}

}  // namespace

Result<Evaluated> EvalCall(Evaluator& evaluator, const Call& call, const Grid& grid) {
  const Function& function = *call.function;
  if (function.window != nullptr) return CallWindow(evaluator, call, grid);
  if (function.element != nullptr) return CallElement(evaluator, call, grid);
  return function.special(evaluator, call, grid);
}

}  // namespace atalaya::promql
