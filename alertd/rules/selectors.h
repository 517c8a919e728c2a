#pragma once

#include <chrono>
#include <set>
#include <string>
#include <vector>

#include "alertd/rules/rule.h"
#include "promql/ast.h"
#include "telemetry/series_source.h"

namespace atalaya::alertd {

// Every selector in the tree, from left to right. They live as long as `expr`.
std::vector<const promql::Selector*> SelectorsOf(const promql::ExprPtr& expr);

// The metric that it names, `{__name__="up"}` among the ways, or "" where it may be any of several.
std::string MetricOf(const promql::Selector& selector);

// A selector that matches no series of so long is most likely mistyped.
inline constexpr std::chrono::hours kSeriesSeenWithin{24};

// A selector without `offset` and `@`.
struct PlainSelector {
  std::string text;
  std::vector<telemetry::Matcher> matchers;
};

// What `rule` reads but for the metrics that are `written` by rules, each once: where no series
// matches one, its verdict is empty. None of a rule that looks for what is missing (Rule::sight).
std::vector<PlainSelector> OutsideSelectors(const Rule& rule, const std::set<std::string>& written);

}  // namespace atalaya::alertd
