#include <algorithm>
#include <array>
#include <cmath>
#include <set>

#include "promql/evaluator.h"
#include "promql/functions.h"

namespace atalaya::promql {
namespace {

using telemetry::Labels;
using telemetry::Matcher;

// What an absent series would have been called: the labels that the selector names with `=`, once.
Labels LabelsOfAbsent(const Expr& arg) {
  const Expr& expr = WithoutParens(arg);
  const Selector* selector = nullptr;
  if (expr.kind == Expr::Kind::kSelector) selector = static_cast<const Selector*>(&expr);
  if (expr.kind == Expr::Kind::kRange) {
    selector = static_cast<const RangeSelector&>(expr).selector.get();
  }
  Labels labels;
  if (selector == nullptr) return labels;
  std::set<std::string_view> seen;
  for (const Matcher& matcher : selector->matchers) {
    if (matcher.name == telemetry::kMetricName) continue;
    if (matcher.kind == Matcher::Kind::kEqual && seen.insert(matcher.name).second) {
      labels.Set(matcher.name, matcher.value);
    } else {
      labels.Remove(matcher.name);
    }
  }
  return labels;
}

// 1 at the steps that are not `present`.
Evaluated AbsentAt(const Expr& arg, const std::vector<bool>& present) {
  Evaluated result;
  StepSeries series{LabelsOfAbsent(arg), {}, false};
  for (const bool there : present) series.values.push_back(there ? Absent() : 1);
  result.series.push_back(std::move(series));
  DropEmpty(&result.series);
  return result;
}

Result<Evaluated> AbsentFunction(Evaluator& evaluator, const Call& call, const Grid& grid) {
  Result<Evaluated> operand = evaluator.Eval(*call.args[0], grid);
  if (!operand) return operand;
  std::vector<bool> present(grid.steps, false);
  for (const StepSeries& series : operand->series) {
    for (std::size_t i = 0; i < grid.steps; ++i) {
      if (!IsAbsent(series.values[i])) present[i] = true;
    }
  }
  return AbsentAt(*call.args[0], present);
}

Result<Evaluated> AbsentOverTime(Evaluator& evaluator, const Call& call, const Grid& grid) {
  const Expr& matrix = WithoutParens(*call.args[0]);
  Result<std::vector<telemetry::SeriesSamples>> input = evaluator.EvalMatrix(matrix, grid);
  if (!input) return Forward(input.error());
  const bool subquery = matrix.kind == Expr::Kind::kSubquery;
  const auto* range = static_cast<const RangeSelector*>(subquery ? nullptr : &matrix);
  const TimeShift& shift =
      subquery ? static_cast<const Subquery&>(matrix).shift : range->selector->shift;
  const std::int64_t range_ms =
      subquery ? static_cast<const Subquery&>(matrix).range_ms : range->range_ms;
  std::vector<bool> present(grid.steps, false);
  for (const telemetry::SeriesSamples& series : *input) {
    SampleCursor cursor(series.samples);
    if (Status good = evaluator.Work(grid.steps); !good) return Forward(good.error());
    for (std::size_t i = 0; i < grid.steps; ++i) {
      const std::int64_t end_ms = evaluator.ShiftedTime(shift, grid.At(i));
      if (!cursor.Window(end_ms, range_ms).empty()) present[i] = true;
    }
  }
  return AbsentAt(matrix, present);
}

// The value of the only element; NaN where there is none or several.
Result<Evaluated> Scalar(Evaluator& evaluator, const Call& call, const Grid& grid) {
  Result<Evaluated> operand = evaluator.Eval(*call.args[0], grid);
  if (!operand) return operand;
  Evaluated result;
  result.type = ValueType::kScalar;
  result.scalar.assign(grid.steps, std::nan(""));
  for (std::size_t i = 0; i < grid.steps; ++i) {
    std::size_t found = 0;
    for (const StepSeries& series : operand->series) {
      if (IsAbsent(series.values[i])) continue;
      result.scalar[i] = ++found == 1 ? series.values[i] : std::nan("");
    }
  }
  return result;
}

Result<Evaluated> Vector(Evaluator& evaluator, const Call& call, const Grid& grid) {
  Result<std::vector<double>> values = evaluator.EvalScalar(*call.args[0], grid);
  if (!values) return Forward(values.error());
  Evaluated result;
  result.series.push_back({{}, std::move(*values), false});
  return result;
}

Result<Evaluated> SortBy(Evaluator& evaluator, const Call& call, const Grid& grid,
                         bool descending) {
  if (evaluator.query().steps > 1) {
    evaluator.Warn(
        "sort is ineffective for range queries since results are always ordered by labels",
        call.place);
  }
  Result<Evaluated> operand = evaluator.Eval(*call.args[0], grid);
  if (!operand || grid.steps != 1) return operand;
  std::stable_sort(operand->series.begin(), operand->series.end(),
                   [descending](const StepSeries& first, const StepSeries& second) {
                     const double a = first.values[0];
                     const double b = second.values[0];
                     if (std::isnan(a) || std::isnan(b)) return !std::isnan(a) && std::isnan(b);
                     return descending ? a > b : a < b;
                   });
  return operand;
}

Result<Evaluated> Sort(Evaluator& evaluator, const Call& call, const Grid& grid) {
  return SortBy(evaluator, call, grid, false);
}

Result<Evaluated> SortDesc(Evaluator& evaluator, const Call& call, const Grid& grid) {
  return SortBy(evaluator, call, grid, true);
}

constexpr Function Special(std::string_view name, std::string_view signature, ValueType returns,
                           SpecialFunction special) {
  Function function{.name = name, .signature = signature, .returns = returns};
  function.special = special;
  return function;
}

constexpr std::array kVectorFunctions = {
    Special("absent", "v", ValueType::kVector, AbsentFunction),
    Special("absent_over_time", "m", ValueType::kVector, AbsentOverTime),
    Special("scalar", "v", ValueType::kScalar, Scalar),
    Special("sort", "v", ValueType::kVector, Sort),
    Special("sort_desc", "v", ValueType::kVector, SortDesc),
    Special("vector", "s", ValueType::kVector, Vector),
};

}  // namespace

std::span<const Function> VectorFunctions() { return kVectorFunctions; }

}  // namespace atalaya::promql
