#include "alertd/rules/down_targets.h"

#include <string>

#include "alertd/rules/verdict.h"
#include "promql/parser.h"

namespace atalaya::alertd {
namespace {

// What tells one target from another, or nothing where `labels` name none.
telemetry::Labels TargetOf(const telemetry::Labels& labels) {
  telemetry::Labels target;
  if (labels.Has("job") && labels.Has("instance")) {
    target.Set("job", labels.Get("job"));
    target.Set("instance", labels.Get("instance"));
  } else if (labels.Has("probe")) {
    target.Set("probe", labels.Get("probe"));
  } else {
    target.Set("client", labels.Get("client"));
  }
  return target;
}

}  // namespace

Result<DownTargets> DownTargets::At(const promql::Engine& engine, std::int64_t now_ms) {
  static const Result<promql::ExprPtr> kDown =
      promql::Parse("up == 0 or cloud_client_up == 0 or probe_success == 0");
  const Result<std::vector<telemetry::LabelledSample>> samples =
      EvaluateVector(engine, *kDown, now_ms);
  if (!samples) return Forward(samples.error());
  DownTargets targets;
  for (const telemetry::LabelledSample& sample : *samples)
    targets.down_.insert(TargetOf(sample.labels));
  return targets;
}

bool DownTargets::Cover(const telemetry::Labels& labels) const {
  const telemetry::Labels target = TargetOf(labels);
  return !target.empty() && down_.contains(target);
}

}  // namespace atalaya::alertd
