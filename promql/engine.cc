#include "promql/engine.h"

#include <algorithm>

#include "promql/evaluator.h"

namespace atalaya::promql {
namespace {

using telemetry::LabelledSample;
using telemetry::Sample;
using telemetry::SeriesSamples;

QueryResult Finish(Evaluator& evaluator, Value value) {
  return {std::move(value), std::move(evaluator.warnings()), std::move(evaluator.infos()),
          evaluator.samples()};
}

Value InstantValue(Evaluated evaluated, std::int64_t time_ms) {
  if (evaluated.type == ValueType::kScalar) return Sample{time_ms, evaluated.scalar.at(0)};
  if (evaluated.type == ValueType::kString) return std::move(evaluated.text);
  std::vector<LabelledSample> vector;
  vector.reserve(evaluated.series.size());
  for (StepSeries& series : evaluated.series) {
    if (IsAbsent(series.values.at(0))) continue;
    vector.push_back({std::move(series.labels), {time_ms, series.values.at(0)}});
  }
  return vector;
}

void SortByLabels(std::vector<SeriesSamples>* matrix) {
  std::sort(matrix->begin(), matrix->end(),
            [](const SeriesSamples& a, const SeriesSamples& b) { return a.labels < b.labels; });
}

std::vector<SeriesSamples> MatrixValue(Evaluated evaluated, const Grid& grid) {
  std::vector<SeriesSamples> matrix;
  if (evaluated.type == ValueType::kScalar) {
    evaluated.series.push_back({{}, std::move(evaluated.scalar), false});
  }
  for (StepSeries& series : evaluated.series) {
    SeriesSamples one;
    one.samples.reserve(grid.steps);
    for (std::size_t i = 0; i < grid.steps; ++i) {
      if (!IsAbsent(series.values[i])) one.samples.push_back({grid.At(i), series.values[i]});
    }
    if (one.samples.empty()) continue;
    one.labels = std::move(series.labels);
    matrix.push_back(std::move(one));
  }
  SortByLabels(&matrix);
  return matrix;
}

}  // namespace

Engine::Engine(const telemetry::SeriesSource& source, EngineOptions options)
    : source_(source), options_(options) {}

Result<QueryResult> Engine::EvaluateInstant(const ExprPtr& expr, std::int64_t time_ms,
                                            const QueryOptions& query) const {
  const Grid grid{time_ms, 1, 1};
  Evaluator evaluator(source_, options_, query, grid, &samples_);
  if (expr->type == ValueType::kMatrix) {
    Result<std::vector<SeriesSamples>> matrix = evaluator.EvalMatrix(*expr, grid);
    if (!matrix) return Forward(matrix.error());
    SortByLabels(&*matrix);
    return Finish(evaluator, std::move(*matrix));
  }
  Result<Evaluated> evaluated = evaluator.Eval(*expr, grid);
  if (!evaluated) return Forward(evaluated.error());
  if (Status good = evaluator.DropDelayedNames(&*evaluated); !good) return Forward(good.error());
  return Finish(evaluator, InstantValue(std::move(*evaluated), time_ms));
}

Result<QueryResult> Engine::EvaluateRange(const ExprPtr& expr, std::int64_t from_ms,
                                          std::int64_t to_ms, std::int64_t step_ms,
                                          const QueryOptions& query) const {
  if (expr->type != ValueType::kScalar && expr->type != ValueType::kVector) {
    return Fail(ErrorCode::kInvalid,
                "invalid expression type \"{}\" for range query, must be Scalar or instant Vector",
                TypeName(expr->type));
  }
  if (step_ms <= 0) return Fail(ErrorCode::kInvalid, "the step must be greater than 0");
  if (to_ms < from_ms) {
    return Fail(ErrorCode::kInvalid, "end timestamp must not be before start time");
  }
  const Grid grid{from_ms, step_ms, static_cast<std::size_t>((to_ms - from_ms) / step_ms) + 1};
  Evaluator evaluator(source_, options_, query, grid, &samples_);
  if (Status good = evaluator.Charge(grid.steps); !good) return Forward(good.error());
  Result<Evaluated> evaluated = evaluator.Eval(*expr, grid);
  if (!evaluated) return Forward(evaluated.error());
  if (Status good = evaluator.DropDelayedNames(&*evaluated); !good) return Forward(good.error());
  return Finish(evaluator, MatrixValue(std::move(*evaluated), grid));
}

}  // namespace atalaya::promql
