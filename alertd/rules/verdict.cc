#include "alertd/rules/verdict.h"

namespace atalaya::alertd {

using telemetry::LabelledSample;
using telemetry::Labels;

Result<std::vector<LabelledSample>> EvaluateVector(const promql::Engine& engine,
                                                   const promql::ExprPtr& expr,
                                                   std::int64_t now_ms) {
  Result<promql::QueryResult> result = engine.EvaluateInstant(expr, now_ms);
  if (!result) return Forward(result.error());
  if (auto* vector = std::get_if<std::vector<LabelledSample>>(&result->value))
    return std::move(*vector);
  if (const auto* scalar = std::get_if<telemetry::Sample>(&result->value))
    return std::vector<LabelledSample>{{Labels(), {now_ms, scalar->value}}};
  return std::vector<LabelledSample>{};
}

Labels OutputLabels(const Rule& rule, const LabelledSample& sample) {
  TemplateData data{sample.labels, sample.sample.value, {}};
  data.labels.Remove(telemetry::kMetricName);
  Labels labels = data.labels;
  for (const auto& [name, text] : rule.labels) labels.Set(name, text.Expand(data));
  if (rule.IsRecording()) {
    labels.Set(telemetry::kMetricName, rule.record);
  } else {
    labels.Set("alertname", rule.alert);
  }
  return labels;
}

std::map<std::string, std::string> ExpandAnnotations(const Rule& rule, const LabelledSample& sample,
                                                     const TemplateQuery& query) {
  std::map<std::string, std::string> annotations;
  if (rule.annotations.empty()) return annotations;
  const TemplateData data{sample.labels, sample.sample.value, query};
  for (const auto& [name, text] : rule.annotations) annotations[name] = text.Expand(data);
  return annotations;
}

Labels Identity(Labels labels) {
  labels.Remove(kDrillLabel);
  return labels;
}

Result<std::map<Labels, double>> EvaluateByIdentity(const promql::Engine& engine, const Rule& rule,
                                                    const promql::ExprPtr& expr,
                                                    std::int64_t now_ms) {
  std::map<Labels, double> found;
  if (expr == nullptr) return found;
  Result<std::vector<LabelledSample>> samples = EvaluateVector(engine, expr, now_ms);
  if (!samples) return Forward(samples.error());
  for (const LabelledSample& sample : *samples)
    found[Identity(OutputLabels(rule, sample))] = sample.sample.value;
  return found;
}

}  // namespace atalaya::alertd
