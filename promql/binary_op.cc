#include <algorithm>
#include <cmath>
#include <unordered_map>

#include "promql/evaluator.h"

namespace atalaya::promql {
namespace {

using telemetry::Labels;

double Arithmetic(BinaryOp op, double lhs, double rhs) {
  switch (op) {
    case BinaryOp::kAdd:
      return lhs + rhs;
    case BinaryOp::kSub:
      return lhs - rhs;
    case BinaryOp::kMul:
      return lhs * rhs;
    case BinaryOp::kDiv:
      return lhs / rhs;
    case BinaryOp::kMod:
      return std::fmod(lhs, rhs);
    case BinaryOp::kPow:
      return std::pow(lhs, rhs);
    default:
      return std::atan2(lhs, rhs);
  }
}

bool Compare(BinaryOp op, double lhs, double rhs) {
  switch (op) {
    case BinaryOp::kEqual:
      return lhs == rhs;
    case BinaryOp::kNotEqual:
      return lhs != rhs;
    case BinaryOp::kLess:
      return lhs < rhs;
    case BinaryOp::kLessEqual:
      return lhs <= rhs;
    case BinaryOp::kGreater:
      return lhs > rhs;
    default:
      return lhs >= rhs;
  }
}

// One pair of values; `kept` is what a comparison that holds leaves.
double Apply(const Binary& binary, double lhs, double rhs, double kept) {
  if (!IsComparison(binary.op)) return Arithmetic(binary.op, lhs, rhs);
  const bool holds = Compare(binary.op, lhs, rhs);
  if (binary.return_bool) return holds ? 1 : 0;
  return holds ? kept : Absent();
}

bool DropsName(const Binary& binary) { return !IsComparison(binary.op) || binary.return_bool; }

Result<Evaluated> ScalarScalar(const Binary& binary, Evaluated lhs, const Evaluated& rhs) {
  for (std::size_t i = 0; i < lhs.scalar.size(); ++i) {
    lhs.scalar[i] = Apply(binary, lhs.scalar[i], rhs.scalar[i], 0);
  }
  return lhs;
}

// `swapped`: the scalar stands on the left. A comparison always leaves the vector's value.
Result<Evaluated> VectorScalar(Evaluator& evaluator, const Binary& binary, Evaluated vector,
                               const std::vector<double>& scalar, bool swapped) {
  for (StepSeries& series : vector.series) {
    for (std::size_t i = 0; i < scalar.size(); ++i) {
      double& value = series.values[i];
      if (IsAbsent(value)) continue;
      value =
          swapped ? Apply(binary, scalar[i], value, value) : Apply(binary, value, scalar[i], value);
    }
    if (DropsName(binary)) evaluator.DropName(&series);
  }
  if (!DropsName(binary)) {
    DropEmpty(&vector.series);
    return vector;
  }
  if (Status merged = evaluator.MergeAfterDrop(&vector.series); !merged) {
    return Forward(merged.error());
  }
  return vector;
}

// Both sides of a binary operation between vectors, brought into the form many-to-one.
class VectorMatch {
 public:
  VectorMatch(Evaluator& evaluator, const Binary& binary, const Grid& grid, Evaluated lhs,
              Evaluated rhs)
      : evaluator_(evaluator),
        binary_(binary),
        grid_(grid),
        swapped_(binary.matching.group == Matching::Group::kRight),
        many_(std::move((swapped_ ? rhs : lhs).series)),
        one_(std::move((swapped_ ? lhs : rhs).series)) {}

  Result<Evaluated> Run() {
    Evaluated result;
    if (many_.empty() || one_.empty()) return result;
    for (std::size_t i = 0; i < one_.size(); ++i) GroupOf(one_[i])->one.push_back(i);
    for (std::size_t i = 0; i < many_.size(); ++i) GroupOf(many_[i])->many.push_back(i);
    many_at_.resize(grid_.steps, false);
    for (const StepSeries& series : many_) {
      for (std::size_t i = 0; i < grid_.steps; ++i) {
        if (!IsAbsent(series.values[i])) many_at_[i] = true;
      }
    }
    for (const Group& group : groups_) {
      if (Status good = CheckOneSide(group); !good) return Forward(good.error());
    }
    for (const Group& group : groups_) {
      if (Status good = JoinGroup(group, &result.series); !good) return Forward(good.error());
    }
    if (Status good = evaluator_.MergeAfterDrop(&result.series); !good) {
      return Forward(good.error());
    }
    return result;
  }

 private:
  struct Group {
    std::vector<std::size_t> one;
    std::vector<std::size_t> many;
  };
  // A comparison with `bool` leaves the name to delayed_name_removal; arithmetic takes it at once.
  bool NameFallsLater() const {
    return binary_.return_bool && evaluator_.options().delayed_name_removal;
  }
  bool Grouped() const { return binary_.matching.group != Matching::Group::kNone; }

  Group* GroupOf(const StepSeries& series) {
    const auto [it, fresh] = index_.emplace(
        MatchKey(series.labels, binary_.matching.on, binary_.matching.labels), groups_.size());
    if (fresh) groups_.emplace_back();
    return &groups_[it->second];
  }

  // Of the one side, no two series of a group may have a value at the same step, unless the many
  // side has none there.
  Status CheckOneSide(const Group& group) const {
    if (Status good = evaluator_.Work(group.one.size() * grid_.steps); !good) return good;
    std::vector<const StepSeries*> holders(grid_.steps, nullptr);
    for (const std::size_t index : group.one) {
      const StepSeries& series = one_[index];
      for (std::size_t step = 0; step < grid_.steps; ++step) {
        if (IsAbsent(series.values[step]) || !many_at_[step]) continue;
        if (holders[step] != nullptr) return DuplicateFault(holders[step]->labels, series.labels);
        holders[step] = &series;
      }
    }
    return {};
  }

  static std::string WithName(const Labels& labels) {
    std::string text = "{";
    for (const auto& [name, value] : labels) {
      if (text.size() > 1) text += ", ";
      Labels one;
      one.Set(name, value);
      std::string pair = one.ToString();
      if (name == telemetry::kMetricName) {
        pair = fmt::format("{{{}=\"{}\"}}", name, value);
      }
      text += pair.substr(1, pair.size() - 2);
    }
    return text + "}";
  }

  tl::unexpected<Error> DuplicateFault(const Labels& a, const Labels& b) const {
    const Matching& matching = binary_.matching;
    const Labels& first = std::min(a, b);
    const Labels& second = std::max(a, b);
    return Fail(ErrorCode::kInvalid,
                "found duplicate series for the match group {} on the {} hand-side of the "
                "operation: [{}, {}];many-to-many matching not allowed: matching labels must be "
                "unique on one side",
                WithName(MatchLabels(first, matching.on, matching.labels)),
                swapped_ ? "left" : "right", WithName(first), WithName(second));
  }

  Labels ResultLabels(const Labels& many, const Labels& one) const {
    const Matching& matching = binary_.matching;
    Labels labels = many;
    if (DropsName(binary_) && !NameFallsLater()) RemoveName(&labels);
    if (!Grouped()) {
      if (matching.on) return MatchLabels(labels, true, matching.labels);
      for (const std::string& name : matching.labels) labels.Remove(name);
      return labels;
    }
    for (const std::string& name : matching.include) labels.Set(name, one.Get(name));
    return labels;
  }

  // Two pairs may yield the same labels only where they never meet in a step, filtered or not.
  // `taken`: the steps of the pairs so far.
  Status CheckUnique(const StepSeries& many, const StepSeries& one,
                     std::vector<bool>* taken) const {
    taken->resize(grid_.steps, false);
    for (std::size_t step = 0; step < grid_.steps; ++step) {
      if (IsAbsent(many.values[step]) || IsAbsent(one.values[step])) continue;
      if ((*taken)[step]) {
        return Fail(ErrorCode::kInvalid, "multiple matches for labels: {}",
                    Grouped() ? "grouping labels must ensure unique matches"
                              : "many-to-one matching must be explicit (group_left/group_right)");
      }
      (*taken)[step] = true;
    }
    return {};
  }

  Status JoinGroup(const Group& group, std::vector<StepSeries>* out) {
    if (group.one.empty() || group.many.empty()) return {};
    std::unordered_map<Labels, std::vector<bool>> rows;
    std::vector<bool> all;
    for (const std::size_t m : group.many) {
      for (const std::size_t o : group.one) {
        if (Status good = evaluator_.Charge(grid_.steps); !good) return good;
        Labels labels = ResultLabels(many_[m].labels, one_[o].labels);
        if (group.many.size() > 1) {
          std::vector<bool>& taken = Grouped() ? rows[labels] : all;
          if (Status good = CheckUnique(many_[m], one_[o], &taken); !good) return good;
        }
        Join(many_[m], one_[o], std::move(labels), out);
      }
    }
    return evaluator_.CheckSeries(out->size());
  }

  void Join(const StepSeries& many, const StepSeries& one, Labels labels,
            std::vector<StepSeries>* out) const {
    StepSeries series;
    series.values.resize(grid_.steps, Absent());
    bool any = false;
    for (std::size_t step = 0; step < grid_.steps; ++step) {
      const double m = many.values[step];
      const double o = one.values[step];
      if (IsAbsent(m) || IsAbsent(o)) continue;
      const double lhs = swapped_ ? o : m;
      const double value = Apply(binary_, lhs, swapped_ ? m : o, lhs);
      series.values[step] = value;
      any = any || !IsAbsent(value);
    }
    if (!any) return;
    series.labels = std::move(labels);
    series.drop_name = many.drop_name || NameFallsLater();
    out->push_back(std::move(series));
  }

  Evaluator& evaluator_;
  const Binary& binary_;
  const Grid& grid_;
  const bool swapped_;  // The many side stands on the right.
  const std::vector<StepSeries> many_;
  const std::vector<StepSeries> one_;
  std::unordered_map<std::string, std::size_t> index_;
  std::vector<Group> groups_;
  std::vector<bool> many_at_;  // The steps at which any series of the many side has a value.
};

}  // namespace

std::string MatchKey(const Labels& labels, bool on, const std::vector<std::string>& names) {
  std::string key;
  if (on) {
    for (const std::string& name : names) {
      key += labels.Get(name);
      key += '\xff';
    }
    return key;
  }
  for (const auto& [name, value] : labels) {
    if (name == telemetry::kMetricName) continue;
    if (std::find(names.begin(), names.end(), name) != names.end()) continue;
    key += name;
    key += '\xfe';
    key += value;
    key += '\xff';
  }
  return key;
}

Labels MatchLabels(const Labels& labels, bool on, const std::vector<std::string>& names) {
  std::vector<Labels::Pair> pairs;
  for (const auto& pair : labels) {
    const bool named = std::find(names.begin(), names.end(), pair.first) != names.end();
    if (on ? named : !named && pair.first != telemetry::kMetricName) pairs.emplace_back(pair);
  }
  return Labels(std::move(pairs));
}

Result<Evaluated> EvalBinary(Evaluator& evaluator, const Binary& binary, const Grid& grid) {
  Result<Evaluated> lhs = evaluator.Eval(*binary.lhs, grid);
  if (!lhs) return lhs;
  Result<Evaluated> rhs = evaluator.Eval(*binary.rhs, grid);
  if (!rhs) return rhs;
  const bool left_scalar = lhs->type == ValueType::kScalar;
  const bool right_scalar = rhs->type == ValueType::kScalar;
  if (left_scalar && right_scalar) return ScalarScalar(binary, std::move(*lhs), *rhs);
  if (right_scalar) return VectorScalar(evaluator, binary, std::move(*lhs), rhs->scalar, false);
  if (left_scalar) return VectorScalar(evaluator, binary, std::move(*rhs), lhs->scalar, true);
  if (IsSetOp(binary.op)) return EvalSetOp(binary, std::move(*lhs), std::move(*rhs), grid);
  return VectorMatch(evaluator, binary, grid, std::move(*lhs), std::move(*rhs)).Run();
}

}  // namespace atalaya::promql
