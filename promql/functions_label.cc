#include <array>

#include "promql/evaluator.h"
#include "promql/functions.h"
#include "promql/number_text.h"
#include "promql/regex.h"
#include "telemetry/utf8.h"

namespace atalaya::promql {
namespace {

// A string argument's text.
std::string Text(const Call& call, std::size_t index) {
  return static_cast<const StringLiteral&>(WithoutParens(*call.args[index])).value;
}

Status CheckLabel(std::string_view label, std::string_view what, std::string_view function) {
  if (!label.empty() && telemetry::IsUtf8(label)) return {};
  return Fail(ErrorCode::kInvalid, "invalid {} label name in {}(): {}", what, function, label);
}

Result<Evaluated> LabelReplace(Evaluator& evaluator, const Call& call, const Grid& grid) {
  const std::string target = Text(call, 1);
  const std::string replacement = Text(call, 2);
  const std::string source = Text(call, 3);
  if (!call.regex) {
    return Fail(ErrorCode::kInvalid, "invalid regular expression in label_replace(): {}",
                Text(call, 4));
  }
  if (Status good = CheckLabel(target, "destination", "label_replace"); !good) {
    return Forward(good.error());
  }
  Result<Evaluated> operand = evaluator.Eval(*call.args[0], grid);
  if (!operand) return operand;
  std::string expanded;
  for (StepSeries& series : operand->series) {
    if (!call.regex->Expand(series.labels.Get(source), replacement, &expanded)) continue;
    series.labels.Set(target, expanded);
    if (target == telemetry::kMetricName) series.drop_name = false;
  }
  if (Status merged = MergeEqualLabels(&operand->series); !merged) return Forward(merged.error());
  return operand;
}

Result<Evaluated> LabelJoin(Evaluator& evaluator, const Call& call, const Grid& grid) {
  const std::string target = Text(call, 1);
  const std::string separator = Text(call, 2);
  std::vector<std::string> sources;
  for (std::size_t i = 3; i < call.args.size(); ++i) {
    sources.push_back(Text(call, i));
    if (Status good = CheckLabel(sources.back(), "source", "label_join"); !good) {
      return Forward(good.error());
    }
  }
  if (Status good = CheckLabel(target, "destination", "label_join"); !good) {
    return Forward(good.error());
  }
  Result<Evaluated> operand = evaluator.Eval(*call.args[0], grid);
  if (!operand) return operand;
  for (StepSeries& series : operand->series) {
    std::string joined;
    for (std::size_t i = 0; i < sources.size(); ++i) {
      if (i > 0) joined += separator;
      joined += series.labels.Get(sources[i]);
    }
    series.labels.Set(target, joined);
    if (target == telemetry::kMetricName) series.drop_name = false;
  }
  if (Status merged = MergeEqualLabels(&operand->series); !merged) return Forward(merged.error());
  return operand;
}

constexpr std::array<Function, 2> kLabelFunctions = {
    Function{.name = "label_join", .signature = "vttt*", .special = LabelJoin},
    Function{.name = "label_replace",
             .signature = "vtttt",
             .special = LabelReplace,
             .regex_argument = 4},
};

}  // namespace

std::span<const Function> LabelFunctions() { return kLabelFunctions; }

}  // namespace atalaya::promql
