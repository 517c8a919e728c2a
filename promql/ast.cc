#include "promql/ast.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "base/check.h"
#include "promql/functions.h"
#include "promql/lexer.h"
#include "promql/regex.h"

namespace atalaya::promql {
namespace {

using telemetry::Matcher;

// Fills what a node has from its children. Fails where the tree grows too deep.
Status Adopt(Expr* node, std::initializer_list<const Expr*> children) {
  bool invariant = true;
  int depth = 0;
  for (const Expr* child : children) {
    if (child == nullptr) continue;
    invariant = invariant && child->step_invariant;
    depth = std::max(depth, static_cast<int>(child->depth));
  }
  if (depth + 1 > kMaxDepth) {
    return FailAt(node->place, fmt::format("nested deeper than {} levels", kMaxDepth));
  }
  node->step_invariant = invariant;
  node->depth = static_cast<std::uint16_t>(depth + 1);
  return {};
}

Status ExpectType(const Expr& expr, ValueType type, std::string_view where) {
  if (expr.type == type) return {};
  return FailAt(expr.place, fmt::format("expected type {} in {}, got {}", TypeName(type), where,
                                        TypeName(expr.type)));
}

Status CheckRange(std::int64_t range_ms, Place place) {
  if (range_ms > 0) return {};
  return FailAt(place, "duration must be greater than 0");
}

bool TakesEmpty(const Matcher& matcher) { return CompiledMatcher(matcher).MatchesValue(""); }

bool IsTopkLike(AggregateOp op) {
  return op == AggregateOp::kTopk || op == AggregateOp::kBottomk || op == AggregateOp::kQuantile;
}

struct Argument {
  ValueType type;
  char repeat;  // '?', '*' or ' '.
};

std::vector<Argument> ReadSignature(std::string_view signature) {
  std::vector<Argument> arguments;
  for (const char c : signature) {
    if (c == '?' || c == '*') {
      arguments.back().repeat = c;
      continue;
    }
    const ValueType type = c == 'v'   ? ValueType::kVector
                           : c == 'm' ? ValueType::kMatrix
                           : c == 's' ? ValueType::kScalar
                                      : ValueType::kString;
    arguments.push_back({type, ' '});
  }
  return arguments;
}

Status CheckArguments(const Function& function, const std::vector<ExprPtr>& args, Place place) {
  const std::vector<Argument> expected = ReadSignature(function.signature);
  const auto required = static_cast<std::size_t>(std::count_if(
      expected.begin(), expected.end(), [](const Argument& a) { return a.repeat == ' '; }));
  const bool endless = !expected.empty() && expected.back().repeat == '*';
  const std::size_t most = endless ? std::numeric_limits<std::size_t>::max() : expected.size();
  if (args.size() < required || args.size() > most) {
    const bool exact = required == most;
    const bool few = args.size() < required;
    return FailAt(place, fmt::format("expected {}{} argument(s) in call to \"{}\", got {}",
                                     exact ? ""
                                     : few ? "at least "
                                           : "at most ",
                                     few ? required : most, function.name, args.size()));
  }
  for (std::size_t i = 0; i < args.size(); ++i) {
    const Argument& argument = expected[std::min(i, expected.size() - 1)];
    if (Status good = ExpectType(*args[i], argument.type,
                                 fmt::format("call to function \"{}\"", function.name));
        !good) {
      return good;
    }
  }
  return {};
}

// Null where it is none, which the evaluation says.
std::shared_ptr<const Regex> CompilePattern(const Expr& expr) {
  const Expr* inner = &expr;
  while (inner->kind == Expr::Kind::kParen) inner = static_cast<const Paren*>(inner)->inner.get();
  Result<Regex> regex = Regex::Compile(static_cast<const StringLiteral*>(inner)->value);
  return regex ? std::make_shared<const Regex>(std::move(*regex)) : nullptr;
}

Status CheckSetOperands(BinaryOp op, const Expr& lhs, const Expr& rhs) {
  if (lhs.type == ValueType::kScalar || rhs.type == ValueType::kScalar) {
    return FailAt(lhs.place,
                  fmt::format("set operator \"{}\" not allowed in binary scalar expression",
                              BinaryOpText(op)));
  }
  return {};
}

Status CheckMatching(BinaryOp op, const Matching& matching, bool between_vectors, Place place) {
  const bool grouped = matching.group != Matching::Group::kNone;
  if (!between_vectors && (matching.on || !matching.labels.empty() || grouped)) {
    return FailAt(place, "vector matching only allowed between instant vectors");
  }
  if (grouped && IsSetOp(op)) {
    return FailAt(place, fmt::format("no grouping allowed for \"{}\" operation", BinaryOpText(op)));
  }
  if (!matching.on) return {};
  for (const std::string& label : matching.labels) {
    const auto& include = matching.include;
    if (std::find(include.begin(), include.end(), label) != include.end()) {
      return FailAt(
          place, fmt::format("label \"{}\" must not occur in ON and GROUP clause at once", label));
    }
  }
  return {};
}

Status CheckOperand(const Expr& operand) {
  if (operand.type == ValueType::kScalar || operand.type == ValueType::kVector) return {};
  return FailAt(operand.place,
                "binary expression must contain only scalar and instant vector types");
}

}  // namespace

std::string_view TypeName(ValueType type) {
  static constexpr std::array<std::string_view, 4> kNames = {"scalar", "string", "instant vector",
                                                             "range vector"};
  return kNames[static_cast<std::size_t>(type)];
}

std::string_view BinaryOpText(BinaryOp op) {
  static constexpr std::array<std::string_view, 16> kTexts = {
      "+",  "-", "*",  "/", "%",  "^",   "atan2", "==",
      "!=", "<", "<=", ">", ">=", "and", "or",    "unless"};
  return kTexts[static_cast<std::size_t>(op)];
}

bool IsComparison(BinaryOp op) { return op >= BinaryOp::kEqual && op <= BinaryOp::kGreaterEqual; }
bool IsSetOp(BinaryOp op) { return op >= BinaryOp::kAnd; }

std::string_view AggregateOpText(AggregateOp op) {
  static constexpr std::array<std::string_view, 12> kTexts = {
      "sum",    "avg",    "count", "min",     "max",          "group",
      "stddev", "stdvar", "topk",  "bottomk", "count_values", "quantile"};
  return kTexts[static_cast<std::size_t>(op)];
}

ExprPtr MakeNumber(double value, Place place) {
  auto node = std::make_shared<NumberLiteral>(value, false);
  node->place = place;
  node->step_invariant = true;
  return node;
}

ExprPtr MakeDuration(double seconds, Place place) {
  auto node = std::make_shared<NumberLiteral>(seconds, true);
  node->place = place;
  node->step_invariant = true;
  return node;
}

ExprPtr MakeString(std::string value, Place place) {
  auto node = std::make_shared<StringLiteral>(std::move(value));
  node->place = place;
  node->step_invariant = true;
  return node;
}

Result<ExprPtr> MakeSelector(std::string name, std::vector<Matcher> matchers, TimeShift shift,
                             Place place) {
  auto node = std::make_shared<Selector>();
  node->place = place;
  node->shift = shift;
  node->step_invariant = shift.at != TimeShift::At::kNone;
  if (!name.empty()) {
    for (const Matcher& matcher : matchers) {
      if (matcher.name != telemetry::kMetricName) continue;
      return FailAt(place, fmt::format("metric name must not be set twice: \"{}\" or \"{}\"", name,
                                       matcher.value));
    }
    matchers.push_back({Matcher::Kind::kEqual, std::string(telemetry::kMetricName), name});
  }
  for (const Matcher& matcher : matchers) {
    if (matcher.kind == Matcher::Kind::kEqual || matcher.kind == Matcher::Kind::kNotEqual) continue;
    if (auto regex = Regex::Compile(matcher.value); !regex) {
      return FailAt(place, fmt::format("error parsing regexp: {}", regex.error().message));
    }
  }
  if (std::all_of(matchers.begin(), matchers.end(), TakesEmpty)) {
    return FailAt(place, "vector selector must contain at least one non-empty matcher");
  }
  node->name = std::move(name);
  node->matchers = std::move(matchers);
  return node;
}

Result<ExprPtr> MakeRange(const ExprPtr& selector, std::int64_t range_ms, Place place) {
  if (selector->kind != Expr::Kind::kSelector) {
    return FailAt(selector->place, "ranges only allowed for vector selectors");
  }
  if (Status good = CheckRange(range_ms, place); !good) return Forward(good.error());
  auto node = std::make_shared<RangeSelector>();
  node->place = selector->place;
  node->selector = std::static_pointer_cast<const Selector>(selector);
  node->range_ms = range_ms;
  if (Status good = Adopt(node.get(), {selector.get()}); !good) return Forward(good.error());
  return node;
}

Result<ExprPtr> MakeSubquery(ExprPtr inner, std::int64_t range_ms, std::int64_t step_ms,
                             TimeShift shift, Place place) {
  if (inner->type != ValueType::kVector) {
    return FailAt(inner->place,
                  fmt::format("subquery is only allowed on instant vector, got {} instead",
                              TypeName(inner->type)));
  }
  if (Status good = CheckRange(range_ms, place); !good) return Forward(good.error());
  auto node = std::make_shared<Subquery>();
  node->place = inner->place;
  node->range_ms = range_ms;
  node->step_ms = step_ms;
  node->shift = shift;
  if (Status good = Adopt(node.get(), {inner.get()}); !good) return Forward(good.error());
  node->step_invariant = shift.at != TimeShift::At::kNone;
  node->inner = std::move(inner);
  return node;
}

Result<ExprPtr> MakeUnary(bool negate, ExprPtr operand, Place place) {
  if (operand->type != ValueType::kScalar && operand->type != ValueType::kVector) {
    return FailAt(operand->place,
                  fmt::format("unary expression only allowed on expressions of type scalar or "
                              "instant vector, got \"{}\"",
                              TypeName(operand->type)));
  }
  if (operand->kind == Expr::Kind::kNumber) {
    const auto& number = static_cast<const NumberLiteral&>(*operand);
    const double value = negate ? -number.value : number.value;
    return number.is_duration ? MakeDuration(value, place) : MakeNumber(value, place);
  }
  auto node = std::make_shared<Unary>(operand->type);
  node->place = place;
  node->negate = negate;
  if (Status good = Adopt(node.get(), {operand.get()}); !good) return Forward(good.error());
  node->operand = std::move(operand);
  return node;
}

Result<ExprPtr> MakeBinary(BinaryOp op, ExprPtr lhs, ExprPtr rhs, Matching matching,
                           bool return_bool) {
  const Place place = lhs->place;
  for (const Expr* operand : {lhs.get(), rhs.get()}) {
    if (Status good = CheckOperand(*operand); !good) return Forward(good.error());
  }
  const bool scalars = lhs->type == ValueType::kScalar && rhs->type == ValueType::kScalar;
  const bool vectors = lhs->type == ValueType::kVector && rhs->type == ValueType::kVector;
  if (return_bool && !IsComparison(op)) {
    return FailAt(place, "bool modifier can only be used on comparison operators");
  }
  if (IsComparison(op) && scalars && !return_bool) {
    return FailAt(place, "comparisons between scalars must use BOOL modifier");
  }
  if (IsSetOp(op)) {
    if (Status good = CheckSetOperands(op, *lhs, *rhs); !good) return Forward(good.error());
  }
  if (Status good = CheckMatching(op, matching, vectors, place); !good) {
    return Forward(good.error());
  }
  auto node = std::make_shared<Binary>(scalars ? ValueType::kScalar : ValueType::kVector);
  node->place = place;
  node->op = op;
  node->return_bool = return_bool;
  node->matching = std::move(matching);
  if (Status good = Adopt(node.get(), {lhs.get(), rhs.get()}); !good) return Forward(good.error());
  node->lhs = std::move(lhs);
  node->rhs = std::move(rhs);
  return node;
}

Result<ExprPtr> MakeAggregate(AggregateOp op, ExprPtr operand, Grouping grouping, ExprPtr parameter,
                              Place place) {
  const bool wants_parameter = IsTopkLike(op) || op == AggregateOp::kCountValues;
  if (wants_parameter != (parameter != nullptr)) {
    return FailAt(place, fmt::format("wrong number of arguments for aggregate expression provided, "
                                     "expected {}, got {}",
                                     wants_parameter ? 2 : 1, parameter ? 2 : 1));
  }
  if (Status good = ExpectType(*operand, ValueType::kVector, "aggregation expression"); !good) {
    return Forward(good.error());
  }
  if (wants_parameter) {
    const ValueType type = IsTopkLike(op) ? ValueType::kScalar : ValueType::kString;
    if (Status good = ExpectType(*parameter, type, "aggregation parameter"); !good) {
      return Forward(good.error());
    }
  }
  auto node = std::make_shared<Aggregate>();
  node->place = place;
  node->op = op;
  node->without = grouping.without;
  node->grouping = std::move(grouping.labels);
  if (Status good = Adopt(node.get(), {operand.get(), parameter.get()}); !good) {
    return Forward(good.error());
  }
  node->operand = std::move(operand);
  node->parameter = std::move(parameter);
  return node;
}

Result<ExprPtr> MakeCall(std::string_view function, std::vector<ExprPtr> args, Place place) {
  const Function* found = FindFunction(function);
  if (found == nullptr) {
    const std::string refused = RefusedFunction(function);
    if (!refused.empty()) return FailAt(place, refused, ErrorCode::kRefused);
    return FailAt(place, fmt::format("unknown function with name \"{}\"", function));
  }
  if (Status good = CheckArguments(*found, args, place); !good) return Forward(good.error());
  auto node = std::make_shared<Call>(found->returns);
  node->place = place;
  node->function = found;
  bool invariant = !found->time_dependent;
  for (const ExprPtr& arg : args) {
    const int depth_before = node->depth;
    if (Status good = Adopt(node.get(), {arg.get()}); !good) return Forward(good.error());
    node->depth = static_cast<std::uint16_t>(std::max<int>(depth_before, node->depth));
    invariant = invariant && arg->step_invariant;
  }
  node->step_invariant = invariant;
  node->args = std::move(args);
  if (found->regex_argument >= 0) {
    node->regex = CompilePattern(*node->args[static_cast<std::size_t>(found->regex_argument)]);
  }
  return node;
}

Result<ExprPtr> MakeParen(ExprPtr inner, Place place) {
  auto node = std::make_shared<Paren>(inner->type);
  node->place = place;
  if (Status good = Adopt(node.get(), {inner.get()}); !good) return Forward(good.error());
  node->inner = std::move(inner);
  return node;
}

}  // namespace atalaya::promql
