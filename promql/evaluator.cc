#include "promql/evaluator.h"

#include <algorithm>
#include <unordered_map>

#include "base/check.h"
#include "promql/stack_guard.h"

namespace atalaya::promql {
namespace {

using telemetry::Labels;
using telemetry::Sample;
using telemetry::SeriesSamples;

constexpr std::uint64_t kWorkBetweenChecks = 10'000;

void AddOnce(std::vector<std::string>* list, std::string_view kind, std::string_view message,
             Place place) {
  std::string text = fmt::format("{}: {}", kind, message);
  if (place.line > 0) text += fmt::format(" ({}:{})", place.line, place.column);
  if (list->size() < kMaxAnnotations &&
      std::find(list->begin(), list->end(), text) == list->end()) {
    list->push_back(std::move(text));
  }
}

// One step's value for all of `steps`.
void Spread(Evaluated* value, std::size_t steps) {
  if (value->type == ValueType::kScalar) value->scalar.resize(steps, value->scalar.at(0));
  for (StepSeries& series : value->series) series.values.resize(steps, series.values.at(0));
}

EngineOptions WithAsked(EngineOptions options, const QueryOptions& asked) {
  options.lookback_ms = asked.lookback_ms.value_or(options.lookback_ms);
  options.timeout = std::min(asked.timeout.value_or(options.timeout), options.timeout);
  return options;
}

bool IsLiteral(const Expr& expr) {
  return expr.kind == Expr::Kind::kNumber || expr.kind == Expr::Kind::kString;
}

}  // namespace

void RemoveName(Labels* labels) {
  labels->Remove(telemetry::kMetricName);
  labels->Remove("__type__");
  labels->Remove("__unit__");
}

void SortByLabels(std::vector<StepSeries>* series) {
  std::sort(series->begin(), series->end(),
            [](const StepSeries& a, const StepSeries& b) { return a.labels < b.labels; });
}

const Expr& WithoutParens(const Expr& expr) {
  const Expr* inner = &expr;
  while (inner->kind == Expr::Kind::kParen) inner = static_cast<const Paren*>(inner)->inner.get();
  return *inner;
}

Evaluator::Evaluator(const telemetry::SeriesSource& source, const EngineOptions& options,
                     const QueryOptions& asked, Grid query,
                     std::atomic<std::uint64_t>* samples_together)
    : source_(source),
      options_(WithAsked(options, asked)),
      cancelled_(asked.cancelled),
      query_(query),
      depths_(query.steps > 1 ? source.Depths() : std::vector<telemetry::Depth>(1)),
      deadline_ns_(options_.clock->SteadyNs() +
                   std::chrono::duration_cast<std::chrono::nanoseconds>(options_.timeout).count()),
      samples_together_(samples_together) {}

Result<Evaluated> Evaluator::Eval(const Expr& expr, const Grid& grid) {
  if (expr.step_invariant && grid.steps > 1 && !IsLiteral(expr)) {
    Result<Evaluated> once = EvalNode(expr, {grid.from_ms, grid.step_ms, 1});
    if (!once) return once;
    if (Status good = Charge(once->series.size() * grid.steps); !good) return Forward(good.error());
    Spread(&*once, grid.steps);
    return once;
  }
  return EvalNode(expr, grid);
}

Result<Evaluated> Evaluator::EvalNode(const Expr& expr, const Grid& grid) {
  if (StackIsLow()) {
    return Fail(ErrorCode::kLimit, "the query is nested deeper than this thread's stack allows");
  }
  if (Status good = Work(1); !good) return Forward(good.error());
  switch (expr.kind) {
    case Expr::Kind::kNumber: {
      Evaluated result;
      result.type = ValueType::kScalar;
      if (Status good = Charge(grid.steps); !good) return Forward(good.error());
      result.scalar.assign(grid.steps, static_cast<const NumberLiteral&>(expr).value);
      return result;
    }
    case Expr::Kind::kString: {
      Evaluated result;
      result.type = ValueType::kString;
      result.text = static_cast<const StringLiteral&>(expr).value;
      return result;
    }
    case Expr::Kind::kSelector:
      return EvalSelector(static_cast<const Selector&>(expr), grid);
    case Expr::Kind::kUnary:
      return EvalUnary(static_cast<const Unary&>(expr), grid);
    case Expr::Kind::kBinary:
      return EvalBinary(*this, static_cast<const Binary&>(expr), grid);
    case Expr::Kind::kAggregate:
      return EvalAggregate(*this, static_cast<const Aggregate&>(expr), grid);
    case Expr::Kind::kCall:
      return EvalCall(*this, static_cast<const Call&>(expr), grid);
    case Expr::Kind::kParen:
      return Eval(*static_cast<const Paren&>(expr).inner, grid);
    case Expr::Kind::kRange:
    case Expr::Kind::kSubquery:
      break;
  }
  ATALAYA_CHECK(false && "a range vector is evaluated by EvalMatrix");
  return Evaluated{};
}

Result<std::vector<double>> Evaluator::EvalScalar(const Expr& expr, const Grid& grid) {
  Result<Evaluated> value = Eval(expr, grid);
  if (!value) return Forward(value.error());
  return std::move(value->scalar);
}

std::int64_t Evaluator::ShiftedTime(const TimeShift& shift, std::int64_t step_ms) const {
  std::int64_t time_ms = step_ms;
  if (shift.at == TimeShift::At::kTime) time_ms = shift.at_ms;
  if (shift.at == TimeShift::At::kStart) time_ms = query_.from_ms;
  if (shift.at == TimeShift::At::kEnd) time_ms = query_.Last();
  return time_ms - shift.offset_ms;
}

telemetry::SelectRequest Evaluator::RequestFor(const Selector& selector, const Grid& grid,
                                               std::int64_t range_ms) const {
  telemetry::SelectRequest request;
  request.matchers = selector.matchers;
  request.from_ms = ShiftedTime(selector.shift, grid.from_ms) - range_ms + 1;
  request.to_ms = ShiftedTime(selector.shift, grid.Last());
  request.sample_limit = options_.max_samples - std::min(samples_, options_.max_samples);
  return request;
}

Status Evaluator::Each(const Selector& selector, const Grid& grid, std::int64_t range_ms,
                       std::int64_t bucket_ms, telemetry::Column column,
                       const telemetry::SeriesSource::TakeSeries& take) {
  telemetry::SelectRequest request = RequestFor(selector, grid, range_ms);
  request.bucket_ms = bucket_ms;
  request.column = column;
  std::size_t count = 0;
  return source_.Each(request, [&](Labels& labels, std::span<Sample> samples) -> Status {
    if (Status good = CheckSeries(++count); !good) return good;
    if (Status good = Charge(samples.size()); !good) return good;
    return take(labels, samples);
  });
}

Result<std::vector<SeriesSamples>> Evaluator::Select(const Selector& selector, const Grid& grid,
                                                     std::int64_t range_ms) {
  return Read(RequestFor(selector, grid, range_ms));
}

Result<std::vector<SeriesSamples>> Evaluator::Read(telemetry::SelectRequest request) {
  Result<std::vector<SeriesSamples>> series = source_.Select(request);
  if (!series) return series;
  if (Status good = CheckSeries(series->size()); !good) return Forward(good.error());
  for (const SeriesSamples& one : *series) {
    if (Status good = Charge(one.samples.size()); !good) return Forward(good.error());
  }
  std::sort(series->begin(), series->end(),
            [](const SeriesSamples& a, const SeriesSamples& b) { return a.labels < b.labels; });
  return series;
}

Result<Evaluated> Evaluator::EvalSelector(const Selector& selector, const Grid& grid) {
  // A bucket's last value stands for it; of a wide one it may be older than the lookback.
  const std::int64_t bucket_ms =
      ChooseBuckets(selector, grid, options_.lookback_ms, Wants::kLast, selector.place);
  const std::int64_t lookback_ms = std::max(options_.lookback_ms, bucket_ms);
  const auto column = bucket_ms == 0 ? telemetry::Column::kRaw : telemetry::Column::kLast;
  Evaluated result;
  const auto take = [&](Labels& labels, std::span<Sample> samples) -> Status {
    if (Status good = Charge(grid.steps); !good) return good;
    std::vector<double> values(grid.steps);
    SampleCursor cursor(samples);
    bool any = false;
    for (std::size_t i = 0; i < grid.steps; ++i) {
      values[i] = cursor.Last(ShiftedTime(selector.shift, grid.At(i)), lookback_ms);
      any = any || !IsAbsent(values[i]);
    }
    if (any) result.series.push_back({std::move(labels), std::move(values), false});
    return {};
  };
  if (Status read = Each(selector, grid, lookback_ms, bucket_ms, column, take); !read) {
    return Forward(read.error());
  }
  SortByLabels(&result.series);
  return result;
}

Result<Evaluated> Evaluator::EvalUnary(const Unary& unary, const Grid& grid) {
  Result<Evaluated> operand = Eval(*unary.operand, grid);
  if (!operand || !unary.negate) return operand;
  for (double& value : operand->scalar) value = -value;
  for (StepSeries& series : operand->series) {
    DropName(&series);
    for (double& value : series.values) {
      if (!IsAbsent(value)) value = -value;
    }
  }
  if (Status merged = MergeAfterDrop(&operand->series); !merged) return Forward(merged.error());
  return operand;
}

Result<std::vector<SeriesSamples>> Evaluator::EvalMatrix(const Expr& matrix, const Grid& grid) {
  const Expr& expr = WithoutParens(matrix);
  if (expr.kind == Expr::Kind::kSubquery) {
    return EvalSubquery(static_cast<const Subquery&>(expr), grid);
  }
  ATALAYA_CHECK(expr.kind == Expr::Kind::kRange);
  const auto& range = static_cast<const RangeSelector&>(expr);
  Result<std::vector<SeriesSamples>> series = Select(*range.selector, grid, range.range_ms);
  if (!series) return series;
  for (SeriesSamples& one : *series) {
    std::erase_if(one.samples, [](const Sample& s) { return telemetry::IsStaleMarker(s.value); });
  }
  std::erase_if(*series, [](const SeriesSamples& one) { return one.samples.empty(); });
  return series;
}

Result<std::vector<SeriesSamples>> Evaluator::EvalSubquery(const Subquery& subquery,
                                                           const Grid& grid) {
  // The inner grid stands on multiples of its step, so that it is the same for every outer step.
  const std::int64_t step_ms = subquery.step_ms > 0 ? subquery.step_ms : options_.subquery_step_ms;
  const std::int64_t after_ms = ShiftedTime(subquery.shift, grid.from_ms) - subquery.range_ms;
  const std::int64_t last_ms = ShiftedTime(subquery.shift, grid.Last());
  Grid inner{step_ms * (after_ms / step_ms), step_ms, 0};
  if (inner.from_ms <= after_ms) inner.from_ms += step_ms;
  std::vector<SeriesSamples> result;
  if (inner.from_ms > last_ms) return result;
  inner.steps = static_cast<std::size_t>((last_ms - inner.from_ms) / step_ms) + 1;
  if (Status good = Charge(inner.steps); !good) return Forward(good.error());
  Result<Evaluated> value = Eval(*subquery.inner, inner);
  if (!value) return Forward(value.error());
  for (StepSeries& series : value->series) {
    if (Status good = Charge(inner.steps); !good) return Forward(good.error());
    SeriesSamples one;
    one.labels = std::move(series.labels);
    if (series.drop_name) RemoveName(&one.labels);
    for (std::size_t i = 0; i < inner.steps; ++i) {
      if (!IsAbsent(series.values[i])) one.samples.push_back({inner.At(i), series.values[i]});
    }
    if (!one.samples.empty()) result.push_back(std::move(one));
  }
  return result;
}

Status Evaluator::Charge(std::uint64_t samples) {
  samples_ += samples;
  const std::uint64_t together = samples_together_->fetch_add(samples) + samples;
  if (samples_ > options_.max_samples) {
    return Fail(
        ErrorCode::kLimit,
        "the query needs more samples than max_samples ({}); select fewer series, a shorter "
        "time or a wider step",
        options_.max_samples);
  }
  if (together > options_.max_samples_together) {
    return Fail(ErrorCode::kLimit,
                "the queries that run at this time need more samples than max_samples_together "
                "({}); ask again later",
                options_.max_samples_together);
  }
  return Work(samples);
}

Status Evaluator::CheckClocks() {
  next_check_ = work_ + kWorkBetweenChecks;
  if (cancelled_ && cancelled_()) {
    return Fail(ErrorCode::kTimeout, "the query was cancelled");
  }
  if (options_.clock->SteadyNs() > deadline_ns_) {
    return Fail(ErrorCode::kTimeout, "the query took longer than timeout ({} ms)",
                options_.timeout.count());
  }
  return {};
}

Status Evaluator::CheckSeries(std::size_t series) const {
  if (series <= options_.max_series) return {};
  return Fail(ErrorCode::kLimit,
              "the query makes a vector of more series than max_series ({}); select fewer series",
              options_.max_series);
}

void Evaluator::DropName(StepSeries* series) const {
  if (options_.delayed_name_removal) {
    series->drop_name = true;
  } else {
    RemoveName(&series->labels);
  }
}

Status Evaluator::MergeAfterDrop(std::vector<StepSeries>* series) const {
  return options_.delayed_name_removal ? Status() : MergeEqualLabels(series);
}

Status Evaluator::DropDelayedNames(Evaluated* result) const {
  if (!options_.delayed_name_removal) return {};
  for (StepSeries& series : result->series) {
    if (series.drop_name) RemoveName(&series.labels);
  }
  return MergeEqualLabels(&result->series);
}

void Evaluator::Warn(std::string_view message, Place place) {
  AddOnce(&warnings_, "PromQL warning", message, place);
}

void Evaluator::Inform(std::string_view message, Place place) {
  AddOnce(&infos_, "PromQL info", message, place);
}

Status MergeEqualLabels(std::vector<StepSeries>* series) {
  if (series->size() < 2) return {};
  std::unordered_map<Labels, std::size_t> seen;
  seen.reserve(series->size());
  bool merged = false;
  for (std::size_t i = 0; i < series->size(); ++i) {
    const auto [it, fresh] = seen.emplace((*series)[i].labels, i);
    if (fresh) continue;
    merged = true;
    std::vector<double>& into = (*series)[it->second].values;
    std::vector<double>& from = (*series)[i].values;
    for (std::size_t step = 0; step < from.size(); ++step) {
      if (IsAbsent(from[step])) continue;
      if (!IsAbsent(into[step])) {
        return Fail(ErrorCode::kInvalid, "vector cannot contain metrics with the same labelset");
      }
      into[step] = from[step];
    }
    from.clear();
  }
  if (merged) std::erase_if(*series, [](const StepSeries& one) { return one.values.empty(); });
  return {};
}

void DropEmpty(std::vector<StepSeries>* series) {
  std::erase_if(*series, [](const StepSeries& one) {
    return std::all_of(one.values.begin(), one.values.end(), IsAbsent);
  });
}

}  // namespace atalaya::promql
