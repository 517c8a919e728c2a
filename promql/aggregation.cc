#include <algorithm>
#include <cmath>
#include <limits>
#include <unordered_map>

#include "promql/evaluator.h"
#include "promql/number_text.h"
#include "promql/statistics.h"
#include "telemetry/utf8.h"

namespace atalaya::promql {
namespace {

using telemetry::Labels;

constexpr double kInt64Limit = 9223372036854775808.0;

struct Group {
  Labels labels;
  std::vector<std::size_t> members;  // Indexes of the operand's series.
};

std::vector<Group> MakeGroups(const Aggregate& aggregate, const std::vector<StepSeries>& series) {
  const bool by = !aggregate.without;
  std::vector<Group> groups;
  std::unordered_map<std::string, std::size_t> index;
  for (std::size_t i = 0; i < series.size(); ++i) {
    const auto [it, fresh] =
        index.emplace(MatchKey(series[i].labels, by, aggregate.grouping), groups.size());
    if (fresh) groups.push_back({MatchLabels(series[i].labels, by, aggregate.grouping), {}});
    groups[it->second].members.push_back(i);
  }
  return groups;
}

double Spread(std::span<const double> values, bool squared) {
  const bool finite =
      std::all_of(values.begin(), values.end(), [](double v) { return std::isfinite(v); });
  if (!finite) return std::numeric_limits<double>::quiet_NaN();
  const double variance = Variance(values);
  return squared ? variance : std::sqrt(variance);
}

double Reduce(AggregateOp op, const std::vector<double>& values, double parameter) {
  switch (op) {
    case AggregateOp::kSum:
      return Sum(values);
    case AggregateOp::kAvg:
      return Mean(values);
    case AggregateOp::kCount:
      return static_cast<double>(values.size());
    case AggregateOp::kMin:
      return Minimum(values);
    case AggregateOp::kMax:
      return Maximum(values);
    case AggregateOp::kGroup:
      return 1;
    case AggregateOp::kStddev:
      return Spread(values, false);
    case AggregateOp::kStdvar:
      return Spread(values, true);
    default:
      return Quantile(parameter, values);
  }
}

Result<Evaluated> ReduceGroups(Evaluator& evaluator, const Aggregate& aggregate,
                               const std::vector<StepSeries>& series,
                               const std::vector<double>& parameter, const Grid& grid) {
  Evaluated result;
  std::vector<double> values;
  for (Group& group : MakeGroups(aggregate, series)) {
    if (Status good = evaluator.Charge(grid.steps); !good) return Forward(good.error());
    if (Status good = evaluator.Work(grid.steps * group.members.size()); !good) {
      return Forward(good.error());
    }
    StepSeries out;
    out.values.resize(grid.steps, Absent());
    for (std::size_t step = 0; step < grid.steps; ++step) {
      values.clear();
      for (const std::size_t member : group.members) {
        const double value = series[member].values[step];
        if (!IsAbsent(value)) values.push_back(value);
      }
      if (values.empty()) continue;
      out.values[step] = Reduce(aggregate.op, values, parameter.empty() ? 0 : parameter[step]);
    }
    out.labels = std::move(group.labels);
    out.drop_name = series[group.members.front()].drop_name;
    result.series.push_back(std::move(out));
  }
  return result;
}

// How many to keep at each step; kInvalid for what is no whole number.
Status CheckCounts(const std::vector<double>& counts) {
  for (const double count : counts) {
    if (std::isnan(count)) return Fail(ErrorCode::kInvalid, "Parameter value is NaN");
    if (count >= kInt64Limit) {
      return Fail(ErrorCode::kInvalid, "Scalar value {} overflows int64", LiteralText(count));
    }
    if (count <= -kInt64Limit) {
      return Fail(ErrorCode::kInvalid, "Scalar value {} underflows int64", LiteralText(count));
    }
  }
  return {};
}

// Best first, NaN last.
bool Better(double a, double b, bool largest) {
  if (std::isnan(a) || std::isnan(b)) return !std::isnan(a) && std::isnan(b);
  return largest ? a > b : a < b;
}

// topk and bottomk: of each group and step the best values stay, on their own series.
Result<Evaluated> KeepBest(Evaluator& evaluator, const Aggregate& aggregate, Evaluated operand,
                           const std::vector<double>& counts, const Grid& grid) {
  if (Status good = CheckCounts(counts); !good) return Forward(good.error());
  const bool largest = aggregate.op == AggregateOp::kTopk;
  std::vector<StepSeries>& series = operand.series;
  std::vector<std::size_t> order;  // Of the series in the result, best first in each group.
  for (const Group& group : MakeGroups(aggregate, series)) {
    if (Status good = evaluator.Work(grid.steps * group.members.size()); !good) {
      return Forward(good.error());
    }
    std::vector<std::size_t> members;
    for (std::size_t step = 0; step < grid.steps; ++step) {
      members = group.members;
      std::erase_if(members, [&](std::size_t m) { return IsAbsent(series[m].values[step]); });
      const std::size_t keep = counts[step] < 1
                                   ? 0
                                   : static_cast<std::size_t>(std::min(
                                         counts[step], static_cast<double>(members.size())));
      std::stable_sort(members.begin(), members.end(), [&](std::size_t a, std::size_t b) {
        return Better(series[a].values[step], series[b].values[step], largest);
      });
      for (std::size_t i = keep; i < members.size(); ++i)
        series[members[i]].values[step] = Absent();
    }
    // In a range query the order has no meaning, and series that came and went must not be lost.
    if (grid.steps > 1) members = group.members;
    order.insert(order.end(), members.begin(), members.end());
  }
  Evaluated result;
  result.series.reserve(order.size());
  for (const std::size_t index : order) result.series.push_back(std::move(series[index]));
  DropEmpty(&result.series);
  return result;
}

// count_values: a series for each value that occurs, named by the value.
Result<Evaluated> CountValues(Evaluator& evaluator, const Aggregate& aggregate, Evaluated operand,
                              const std::string& label, const Grid& grid) {
  if (label.empty() || !telemetry::IsUtf8(label)) {
    return Fail(ErrorCode::kInvalid, "invalid label name {}", QuotedText(label));
  }
  std::vector<std::string> names = aggregate.grouping;
  if (!aggregate.without) names.push_back(label);
  Evaluated result;
  std::unordered_map<Labels, std::size_t> index;
  for (const StepSeries& series : operand.series) {
    if (Status good = evaluator.Work(grid.steps); !good) return Forward(good.error());
    for (std::size_t step = 0; step < grid.steps; ++step) {
      if (IsAbsent(series.values[step])) continue;
      Labels labels = series.labels;
      labels.Set(label, FixedText(series.values[step]));
      labels = MatchLabels(labels, !aggregate.without, names);
      const auto [it, fresh] = index.emplace(labels, result.series.size());
      if (fresh) {
        if (Status good = evaluator.Charge(grid.steps); !good) return Forward(good.error());
        result.series.push_back(
            {labels, std::vector<double>(grid.steps, Absent()), series.drop_name});
      }
      double& count = result.series[it->second].values[step];
      count = IsAbsent(count) ? 1 : count + 1;
    }
    if (Status good = evaluator.CheckSeries(result.series.size()); !good) {
      return Forward(good.error());
    }
  }
  return result;
}

void WarnOfQuantiles(Evaluator& evaluator, const std::vector<double>& quantiles, Place place) {
  for (const double q : quantiles) {
    if (q >= 0 && q <= 1) continue;
    evaluator.Warn(fmt::format("quantile value should be between 0 and 1, got {}", CompactText(q)),
                   place);
  }
}

}  // namespace

Result<Evaluated> EvalAggregate(Evaluator& evaluator, const Aggregate& aggregate,
                                const Grid& grid) {
  std::vector<double> parameter;
  std::string text;
  if (aggregate.parameter) {
    Result<Evaluated> value = evaluator.Eval(*aggregate.parameter, grid);
    if (!value) return value;
    parameter = std::move(value->scalar);
    text = std::move(value->text);
  }
  Result<Evaluated> operand = evaluator.Eval(*aggregate.operand, grid);
  if (!operand) return operand;
  switch (aggregate.op) {
    case AggregateOp::kTopk:
    case AggregateOp::kBottomk:
      return KeepBest(evaluator, aggregate, std::move(*operand), parameter, grid);
    case AggregateOp::kCountValues:
      return CountValues(evaluator, aggregate, std::move(*operand), text, grid);
    case AggregateOp::kQuantile:
      WarnOfQuantiles(evaluator, parameter, aggregate.parameter->place);
      break;
    default:
      break;
  }
  return ReduceGroups(evaluator, aggregate, operand->series, parameter, grid);
}

}  // namespace atalaya::promql
