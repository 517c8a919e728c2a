#pragma once

#include <chrono>
#include <optional>
#include <string_view>
#include <vector>

#include "base/config.h"
#include "promql/ast.h"

namespace atalaya::alertd {

// The keys of a [[rule]] that stand for an expression: "absent", "cpu", "disk" and so on.
const std::vector<std::string>& TypedRuleKinds();

struct TypedRule {
  promql::ExprPtr expr;                            // Null where there was a fault.
  promql::ExprPtr recover;                         // Null where the table has no `recover`.
  std::optional<std::chrono::milliseconds> sight;  // As in Rule.
};

// What the table at `kind` means as PromQL. Faults are noted in `rule`.
TypedRule CompileTypedRule(std::string_view kind, ConfigTable& rule);

// What there is to judge: `expr` without its comparisons, so that `up == 0` becomes `up`. Null
// where nothing was compared: then everything that the expression yields is a verdict.
promql::ExprPtr PresenceOf(const promql::ExprPtr& expr);

}  // namespace atalaya::alertd
