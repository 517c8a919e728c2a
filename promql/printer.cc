#include <fmt/format.h>

#include <chrono>
#include <cmath>

#include "base/duration.h"
#include "promql/ast.h"
#include "promql/functions.h"
#include "promql/number_text.h"
#include "promql/parser.h"

namespace atalaya::promql {
namespace {

using telemetry::Matcher;

constexpr int kUnaryPrecedence = 5;  // That of multiplication.
constexpr int kAtom = 7;

std::string DurationText(std::int64_t ms) { return FormatDuration(std::chrono::milliseconds(ms)); }

std::string LabelText(const std::string& label) {
  return IsBareLabelName(label) ? label : QuotedText(label);
}

std::string LabelList(const std::vector<std::string>& labels) {
  std::string text = "(";
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (i > 0) text += ", ";
    text += LabelText(labels[i]);
  }
  return text + ")";
}

std::string_view MatcherOp(Matcher::Kind kind) {
  switch (kind) {
    case Matcher::Kind::kEqual:
      return "=";
    case Matcher::Kind::kNotEqual:
      return "!=";
    case Matcher::Kind::kRegex:
      return "=~";
    case Matcher::Kind::kNotRegex:
      break;
  }
  return "!~";
}

std::string SelectorText(const Selector& selector) {
  const bool bare = IsBareMetricName(selector.name);
  std::string text = bare ? selector.name : "";
  std::string inner = bare || selector.name.empty() ? "" : QuotedText(selector.name);
  for (const Matcher& matcher : selector.matchers) {
    if (!selector.name.empty() && matcher.name == telemetry::kMetricName) continue;
    if (!inner.empty()) inner += ",";
    inner += fmt::format("{}{}{}", LabelText(matcher.name), MatcherOp(matcher.kind),
                         QuotedText(matcher.value));
  }
  if (!inner.empty() || !bare) text += "{" + inner + "}";
  return text;
}

std::string ShiftText(const TimeShift& shift) {
  std::string text;
  if (shift.at == TimeShift::At::kTime) {
    text += fmt::format(" @ {}{}.{:03}", shift.at_ms < 0 ? "-" : "", std::abs(shift.at_ms) / 1000,
                        std::abs(shift.at_ms) % 1000);
  } else if (shift.at == TimeShift::At::kStart) {
    text += " @ start()";
  } else if (shift.at == TimeShift::At::kEnd) {
    text += " @ end()";
  }
  if (shift.offset_ms != 0) {
    text += fmt::format(" offset {}{}", shift.offset_ms < 0 ? "-" : "",
                        DurationText(std::abs(shift.offset_ms)));
  }
  return text;
}

int Precedence(const Expr& expr) {
  if (expr.kind == Expr::Kind::kUnary) return kUnaryPrecedence;
  if (expr.kind == Expr::Kind::kNumber) {
    return std::signbit(static_cast<const NumberLiteral&>(expr).value) ? kUnaryPrecedence : kAtom;
  }
  if (expr.kind != Expr::Kind::kBinary) return kAtom;
  switch (static_cast<const Binary&>(expr).op) {
    case BinaryOp::kOr:
      return 1;
    case BinaryOp::kAnd:
    case BinaryOp::kUnless:
      return 2;
    case BinaryOp::kAdd:
    case BinaryOp::kSub:
      return 4;
    case BinaryOp::kPow:
      return 6;
    case BinaryOp::kMul:
    case BinaryOp::kDiv:
    case BinaryOp::kMod:
    case BinaryOp::kAtan2:
      return 5;
    default:
      return 3;
  }
}

// The child, in parentheses where it binds looser than `least`.
std::string Child(const Expr& child, int least) {
  const std::string text = ToString(child);
  return Precedence(child) < least ? "(" + text + ")" : text;
}

std::string NumberText(const NumberLiteral& number) {
  if (!number.is_duration) return LiteralText(number.value);
  const auto ms = static_cast<std::int64_t>(std::llround(number.value * 1000));
  return (ms < 0 ? "-" : "") + (ms == 0 ? "0s" : DurationText(std::abs(ms)));
}

std::string BinaryText(const Binary& binary) {
  const int own = Precedence(binary);
  const bool power = binary.op == BinaryOp::kPow;
  std::string op(BinaryOpText(binary.op));
  const Matching& matching = binary.matching;
  const bool grouped = matching.group != Matching::Group::kNone;
  if (binary.return_bool) op += " bool";
  if (matching.on || !matching.labels.empty() || grouped) {
    op += (matching.on ? " on " : " ignoring ") + LabelList(matching.labels);
  }
  if (grouped) {
    op += matching.group == Matching::Group::kLeft ? " group_left " : " group_right ";
    op += LabelList(matching.include);
  }
  return fmt::format("{} {} {}", Child(*binary.lhs, power ? own + 1 : own), op,
                     Child(*binary.rhs, power ? own : own + 1));
}

std::string AggregateText(const Aggregate& aggregate) {
  std::string text(AggregateOpText(aggregate.op));
  if (aggregate.without || !aggregate.grouping.empty()) {
    text += (aggregate.without ? " without " : " by ") + LabelList(aggregate.grouping) + " ";
  }
  text += "(";
  if (aggregate.parameter) text += ToString(*aggregate.parameter) + ", ";
  return text + ToString(*aggregate.operand) + ")";
}

std::string CallText(const Call& call) {
  std::string text = std::string(call.function->name) + "(";
  for (std::size_t i = 0; i < call.args.size(); ++i) {
    if (i > 0) text += ", ";
    text += ToString(*call.args[i]);
  }
  return text + ")";
}

std::string SubqueryText(const Subquery& subquery) {
  // A range selector's brackets would be read into the inner expression's.
  const std::string inner = Child(*subquery.inner, kAtom);
  const std::string step = subquery.step_ms > 0 ? DurationText(subquery.step_ms) : "";
  return fmt::format("{}[{}:{}]{}", inner, DurationText(subquery.range_ms), step,
                     ShiftText(subquery.shift));
}

}  // namespace

std::string ToString(const Expr& expr) {
  switch (expr.kind) {
    case Expr::Kind::kNumber:
      return NumberText(static_cast<const NumberLiteral&>(expr));
    case Expr::Kind::kString:
      return QuotedText(static_cast<const StringLiteral&>(expr).value);
    case Expr::Kind::kSelector: {
      const auto& selector = static_cast<const Selector&>(expr);
      return SelectorText(selector) + ShiftText(selector.shift);
    }
    case Expr::Kind::kRange: {
      const auto& range = static_cast<const RangeSelector&>(expr);
      return fmt::format("{}[{}]{}", SelectorText(*range.selector), DurationText(range.range_ms),
                         ShiftText(range.selector->shift));
    }
    case Expr::Kind::kSubquery:
      return SubqueryText(static_cast<const Subquery&>(expr));
    case Expr::Kind::kUnary: {
      const auto& unary = static_cast<const Unary&>(expr);
      return (unary.negate ? "-" : "+") + Child(*unary.operand, kUnaryPrecedence);
    }
    case Expr::Kind::kBinary:
      return BinaryText(static_cast<const Binary&>(expr));
    case Expr::Kind::kAggregate:
      return AggregateText(static_cast<const Aggregate&>(expr));
    case Expr::Kind::kCall:
      return CallText(static_cast<const Call&>(expr));
    case Expr::Kind::kParen:
      break;
  }
  return "(" + ToString(*static_cast<const Paren&>(expr).inner) + ")";
}

}  // namespace atalaya::promql
