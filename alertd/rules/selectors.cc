#include "alertd/rules/selectors.h"

#include <algorithm>

namespace atalaya::alertd {
namespace {

using promql::Expr;
using promql::ExprPtr;

std::vector<ExprPtr> ChildrenOf(const Expr& expr) {
  switch (expr.kind) {
    case Expr::Kind::kNumber:
    case Expr::Kind::kString:
    case Expr::Kind::kSelector:
      return {};
    case Expr::Kind::kRange:
      return {static_cast<const promql::RangeSelector&>(expr).selector};
    case Expr::Kind::kSubquery:
      return {static_cast<const promql::Subquery&>(expr).inner};
    case Expr::Kind::kUnary:
      return {static_cast<const promql::Unary&>(expr).operand};
    case Expr::Kind::kBinary: {
      const auto& binary = static_cast<const promql::Binary&>(expr);
      return {binary.lhs, binary.rhs};
    }
    case Expr::Kind::kAggregate: {
      const auto& aggregate = static_cast<const promql::Aggregate&>(expr);
      if (aggregate.parameter == nullptr) return {aggregate.operand};
      return {aggregate.parameter, aggregate.operand};
    }
    case Expr::Kind::kCall:
      return static_cast<const promql::Call&>(expr).args;
    case Expr::Kind::kParen:
      return {static_cast<const promql::Paren&>(expr).inner};
  }
  return {};
}

void Collect(const ExprPtr& expr, std::vector<const promql::Selector*>& into) {
  if (expr->kind == Expr::Kind::kSelector)
    into.push_back(static_cast<const promql::Selector*>(expr.get()));
  for (const ExprPtr& child : ChildrenOf(*expr)) Collect(child, into);
}

// As it is written, but for its shift; null where there is no such thing.
ExprPtr WithoutShift(const promql::Selector& selector) {
  std::vector<telemetry::Matcher> matchers = selector.matchers;
  if (!selector.name.empty())  // Which stands among the matchers as well.
    std::erase_if(matchers, [](const auto& each) { return each.name == telemetry::kMetricName; });
  const Result<ExprPtr> plain = promql::MakeSelector(selector.name, std::move(matchers));
  return plain ? *plain : nullptr;
}

}  // namespace

std::vector<const promql::Selector*> SelectorsOf(const ExprPtr& expr) {
  std::vector<const promql::Selector*> selectors;
  Collect(expr, selectors);
  return selectors;
}

std::string MetricOf(const promql::Selector& selector) {
  for (const telemetry::Matcher& matcher : selector.matchers) {
    if (matcher.name == telemetry::kMetricName && matcher.kind == telemetry::Matcher::Kind::kEqual)
      return matcher.value;
  }
  return selector.name;
}

std::vector<PlainSelector> OutsideSelectors(const Rule& rule,
                                            const std::set<std::string>& written) {
  std::vector<PlainSelector> outside;
  if (rule.sight) return outside;
  for (const promql::Selector* selector : SelectorsOf(rule.expr)) {
    if (written.contains(MetricOf(*selector))) continue;
    const ExprPtr plain = WithoutShift(*selector);
    if (plain == nullptr) continue;
    std::string text = promql::ToString(*plain);
    if (std::none_of(outside.begin(), outside.end(),
                     [&](const PlainSelector& each) { return each.text == text; }))
      outside.push_back({std::move(text), selector->matchers});
  }
  return outside;
}

}  // namespace atalaya::alertd
