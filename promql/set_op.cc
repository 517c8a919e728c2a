#include <algorithm>
#include <cstdint>
#include <unordered_map>

#include "promql/evaluator.h"

namespace atalaya::promql {
namespace {

// Of one side: for each match key the steps at which any series of it has a value.
class Presence {
 public:
  Presence(const Binary& binary, const Grid& grid, const std::vector<StepSeries>& side)
      : matching_(binary.matching) {
    for (const StepSeries& series : side) {
      auto& steps = steps_[MatchKey(series.labels, matching_.on, matching_.labels)];
      steps.resize(grid.steps, 0);
      for (std::size_t i = 0; i < grid.steps; ++i) {
        if (!IsAbsent(series.values[i])) steps[i] = 1;
      }
    }
  }

  // Null where the other side has no series that matches.
  const std::vector<std::uint8_t>* Of(const StepSeries& series) const {
    const auto it = steps_.find(MatchKey(series.labels, matching_.on, matching_.labels));
    return it == steps_.end() ? nullptr : &it->second;
  }

 private:
  const Matching& matching_;
  std::unordered_map<std::string, std::vector<std::uint8_t>> steps_;
};

// Leaves of `side` the values at steps where the other side's presence is `wanted`.
void Filter(std::vector<StepSeries>* side, const Presence& other, bool wanted) {
  for (StepSeries& series : *side) {
    const std::vector<std::uint8_t>* present = other.Of(series);
    for (std::size_t i = 0; i < series.values.size(); ++i) {
      const bool there = present != nullptr && (*present)[i] != 0;
      if (there != wanted) series.values[i] = Absent();
    }
  }
  DropEmpty(side);
}

// Adds `right`, which shares no step with a series of equal labels in `left`.
void Append(std::vector<StepSeries>* left, std::vector<StepSeries> right) {
  std::unordered_map<telemetry::Labels, std::size_t> index;
  for (std::size_t i = 0; i < left->size(); ++i) index.emplace((*left)[i].labels, i);
  for (StepSeries& series : right) {
    const auto it = index.find(series.labels);
    if (it == index.end()) {
      left->push_back(std::move(series));
      continue;
    }
    std::vector<double>& into = (*left)[it->second].values;
    for (std::size_t i = 0; i < into.size(); ++i) {
      if (!IsAbsent(series.values[i])) into[i] = series.values[i];
    }
  }
}

}  // namespace

Evaluated EvalSetOp(const Binary& binary, Evaluated lhs, Evaluated rhs, const Grid& grid) {
  if (binary.op == BinaryOp::kOr) {
    Filter(&rhs.series, Presence(binary, grid, lhs.series), false);
    Append(&lhs.series, std::move(rhs.series));
    return lhs;
  }
  Filter(&lhs.series, Presence(binary, grid, rhs.series), binary.op == BinaryOp::kAnd);
  return lhs;
}

}  // namespace atalaya::promql
