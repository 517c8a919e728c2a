#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "alertd/alert.h"
#include "alertd/rules/rule.h"
#include "base/result.h"
#include "promql/engine.h"
#include "telemetry/series_source.h"

namespace atalaya::alertd {

// What a rule's expression says at one moment, as samples; a scalar is one without labels.
// Fails as Engine::EvaluateInstant does.
Result<std::vector<telemetry::LabelledSample>> EvaluateVector(const promql::Engine& engine,
                                                              const promql::ExprPtr& expr,
                                                              std::int64_t now_ms);

// The labels of the alert, or of the recorded series, that `rule` makes of a sample.
telemetry::Labels OutputLabels(const Rule& rule, const telemetry::LabelledSample& sample);

// `query` is what the templates may ask.
std::map<std::string, std::string> ExpandAnnotations(const Rule& rule,
                                                     const telemetry::LabelledSample& sample,
                                                     const TemplateQuery& query);

// `drill="true"` comes and goes with the configuration, so an alert is known by the others.
inline constexpr std::string_view kDrillLabel = "drill";
telemetry::Labels Identity(telemetry::Labels labels);

// By identity, the values of what `expr` yields. A null `expr` yields nothing.
Result<std::map<telemetry::Labels, double>> EvaluateByIdentity(const promql::Engine& engine,
                                                               const Rule& rule,
                                                               const promql::ExprPtr& expr,
                                                               std::int64_t now_ms);

}  // namespace atalaya::alertd
