#pragma once

#include <string_view>

#include "base/result.h"
#include "promql/ast.h"

namespace atalaya::promql {

// A longer query is refused with kLimit.
inline constexpr std::size_t kMaxQueryBytes = 256u << 10;

// Reads a PromQL expression of Prometheus 3.x. A fault is kInvalid with its place in the text,
// `1:5: parse error: ...`. What Prometheus keeps behind a feature flag, and what only native
// histograms have, is understood and refused with kRefused, by name. Nested as deep as kMaxDepth a
// query takes half a MiB of stack; a thread that has less refuses it with kLimit sooner.
Result<ExprPtr> Parse(std::string_view query);

// Whether `name` can stand in a query without quotes, as a metric name (colons allowed) or a label.
bool IsBareMetricName(std::string_view name);
bool IsBareLabelName(std::string_view name);

}  // namespace atalaya::promql
