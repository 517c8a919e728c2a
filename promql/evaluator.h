#pragma once

#include <atomic>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "promql/ast.h"
#include "promql/engine.h"
#include "promql/functions.h"
#include "telemetry/sample.h"

namespace atalaya::promql {

// How a column of values says "no sample at this step": with the stale marker, which no real value
// can be.
inline double Absent() { return telemetry::StaleMarker(); }
inline bool IsAbsent(double value) { return telemetry::IsStaleMarker(value); }

// The times at which an expression is evaluated.
struct Grid {
  std::int64_t from_ms = 0;
  std::int64_t step_ms = 1;
  std::size_t steps = 0;
  std::int64_t At(std::size_t step) const {
    return from_ms + step_ms * static_cast<std::int64_t>(step);
  }
  std::int64_t Last() const { return At(steps - 1); }
};

// One series over a grid: a value per step, Absent() where there is none.
struct StepSeries {
  telemetry::Labels labels;
  std::vector<double> values;
  bool drop_name = false;  // At the end, with delayed_name_removal.
};

// What a node yields over a grid. Each operation works on whole columns, so that labels are matched
// once per query and not once per step.
struct Evaluated {
  ValueType type = ValueType::kVector;
  std::vector<double> scalar;      // With kScalar: a value per step.
  std::string text;                // With kString.
  std::vector<StepSeries> series;  // With kVector; none without any value.
};

inline constexpr std::size_t kMaxAnnotations = 100;

// The evaluation of one query. Threads: one.
class Evaluator {
 public:
  Evaluator(const telemetry::SeriesSource& source, const EngineOptions& options,
            const QueryOptions& asked, Grid query, std::atomic<std::uint64_t>* samples_together);
  ~Evaluator() { *samples_together_ -= samples_; }
  Evaluator(const Evaluator&) = delete;
  Evaluator& operator=(const Evaluator&) = delete;

  // A scalar, string or vector node over `grid`.
  Result<Evaluated> Eval(const Expr& expr, const Grid& grid);

  // A range selector or subquery: all samples that the windows of `grid` can see, stale markers
  // left out, a series each, sorted by labels.
  Result<std::vector<telemetry::SeriesSamples>> EvalMatrix(const Expr& matrix, const Grid& grid);

  // What is wanted of a series: its last value at each step, something of a window that buckets can
  // tell, or the samples themselves.
  enum class Wants : std::uint8_t { kLast, kWindow, kSamples };

  // The width of bucket that serves a range query as well as the samples, or 0: the widest that is
  // at most the step and `range_ms`, and of which a window is made. Where it (or the samples) does
  // not reach back far enough, a wider one that does, if it can be made of that; else a warning
  // that points at `place`.
  std::int64_t ChooseBuckets(const Selector& selector, const Grid& grid, std::int64_t range_ms,
                             Wants wants, Place place);
  // One column of the buckets that the windows of `range_ms` can see, sorted by labels.
  Result<std::vector<telemetry::SeriesSamples>> SelectBuckets(const Selector& selector,
                                                              const Grid& grid,
                                                              std::int64_t range_ms,
                                                              std::int64_t bucket_ms,
                                                              telemetry::Column column);

  // Hands on one series after the other of what Select, or with a `bucket_ms` SelectBuckets, would
  // give; in no particular order.
  Status Each(const Selector& selector, const Grid& grid, std::int64_t range_ms,
              std::int64_t bucket_ms, telemetry::Column column,
              const telemetry::SeriesSource::TakeSeries& take);

  // The raw samples of a selector, looking back `range_ms` from every step; sorted by labels.
  Result<std::vector<telemetry::SeriesSamples>> Select(const Selector& selector, const Grid& grid,
                                                       std::int64_t range_ms);

  // The values of a scalar node, one per step.
  Result<std::vector<double>> EvalScalar(const Expr& expr, const Grid& grid);

  // The time that a selector or subquery looks at in a step.
  std::int64_t ShiftedTime(const TimeShift& shift, std::int64_t step_ms) const;

  // Counts samples read or made; kLimit over max_samples, kTimeout when time is up.
  Status Charge(std::uint64_t samples);
  // Counts work that makes no samples; kTimeout when time is up or the query was cancelled.
  Status Work(std::uint64_t steps) {
    work_ += steps;
    return work_ < next_check_ ? Status() : CheckClocks();
  }
  Status CheckSeries(std::size_t series) const;

  // Takes the metric's name off a result, now or, with delayed_name_removal, at the end.
  void DropName(StepSeries* series) const;
  // After names were dropped: MergeEqualLabels, unless they still stand.
  Status MergeAfterDrop(std::vector<StepSeries>* series) const;
  // Drops the names that still stand, from the query's result.
  Status DropDelayedNames(Evaluated* result) const;

  void Warn(std::string_view message, Place place);
  void Inform(std::string_view message, Place place);

  const EngineOptions& options() const { return options_; }
  const Grid& query() const { return query_; }
  std::vector<std::string>& warnings() { return warnings_; }
  std::vector<std::string>& infos() { return infos_; }
  std::uint64_t samples() const { return samples_; }

 private:
  Result<Evaluated> EvalNode(const Expr& expr, const Grid& grid);
  Result<Evaluated> EvalSelector(const Selector& selector, const Grid& grid);
  telemetry::SelectRequest RequestFor(const Selector& selector, const Grid& grid,
                                      std::int64_t range_ms) const;
  Result<std::vector<telemetry::SeriesSamples>> Read(telemetry::SelectRequest request);
  Result<Evaluated> EvalUnary(const Unary& unary, const Grid& grid);
  Result<std::vector<telemetry::SeriesSamples>> EvalSubquery(const Subquery& subquery,
                                                             const Grid& grid);
  Status CheckClocks();

  const telemetry::SeriesSource& source_;
  const EngineOptions options_;
  const std::function<bool()>& cancelled_;
  const Grid query_;                            // The whole query's, for `@ start()` and `@ end()`.
  const std::vector<telemetry::Depth> depths_;  // Only the samples in an instant query.
  const std::int64_t deadline_ns_;
  std::uint64_t samples_ = 0;
  std::atomic<std::uint64_t>* const samples_together_;
  std::uint64_t work_ = 0;
  std::uint64_t next_check_ = 0;
  std::vector<std::string> warnings_;
  std::vector<std::string> infos_;
};

// Takes off what no longer holds of a result: the metric's name, and with it __type__ and __unit__.
void RemoveName(telemetry::Labels* labels);

const Expr& WithoutParens(const Expr& expr);

void SortByLabels(std::vector<StepSeries>* series);

// Walks the samples of one series along a grid. Times must not fall.
class SampleCursor {
 public:
  explicit SampleCursor(std::span<const telemetry::Sample> samples) : samples_(samples) {}
  // The samples of (end_ms - range_ms, end_ms].
  std::span<const telemetry::Sample> Window(std::int64_t end_ms, std::int64_t range_ms) {
    MoveEnd(end_ms);
    while (begin_ < end_ && samples_[begin_].time_ms <= end_ms - range_ms) ++begin_;
    return {samples_.data() + begin_, end_ - begin_};
  }
  // The last one's value, Absent() where there is none.
  double Last(std::int64_t end_ms, std::int64_t range_ms) {
    MoveEnd(end_ms);
    if (end_ == 0 || samples_[end_ - 1].time_ms <= end_ms - range_ms) return Absent();
    return samples_[end_ - 1].value;
  }

 private:
  void MoveEnd(std::int64_t end_ms) {
    while (end_ < samples_.size() && samples_[end_].time_ms <= end_ms) ++end_;
  }

  const std::span<const telemetry::Sample> samples_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

// Makes one series of those with equal labels, as names were dropped. kInvalid where two have a
// value at the same step.
Status MergeEqualLabels(std::vector<StepSeries>* series);

// Without those that have no value at any step.
void DropEmpty(std::vector<StepSeries>* series);

// binary_op.cc, set_op.cc, aggregation.cc, call.cc.
Result<Evaluated> EvalBinary(Evaluator& evaluator, const Binary& binary, const Grid& grid);
Evaluated EvalSetOp(const Binary& binary, Evaluated lhs, Evaluated rhs, const Grid& grid);
Result<Evaluated> EvalAggregate(Evaluator& evaluator, const Aggregate& aggregate, const Grid& grid);
Result<Evaluated> EvalCall(Evaluator& evaluator, const Call& call, const Grid& grid);

// buckets.cc: a range function over buckets of `bucket_ms`; a column per series of `labels`.
struct BucketWindow {
  const Selector& selector;
  std::int64_t range_ms;
  std::int64_t bucket_ms;
};
Result<std::vector<StepSeries>> EvalOverBuckets(Evaluator& evaluator, const FromBuckets& from,
                                                const BucketWindow& window, const Grid& grid);

// The labels that decide which series match, as a key: two series match where theirs are equal.
std::string MatchKey(const telemetry::Labels& labels, bool on,
                     const std::vector<std::string>& names);
// Those labels themselves.
telemetry::Labels MatchLabels(const telemetry::Labels& labels, bool on,
                              const std::vector<std::string>& names);

}  // namespace atalaya::promql
