#pragma once

#include <string>
#include <vector>

#include "promql/ast.h"

namespace atalaya::alertd {

// Every selector in the tree, from left to right. They live as long as `expr`.
std::vector<const promql::Selector*> SelectorsOf(const promql::ExprPtr& expr);

// The metric that it names, `{__name__="up"}` among the ways, or "" where it may be any of several.
std::string MetricOf(const promql::Selector& selector);

}  // namespace atalaya::alertd
