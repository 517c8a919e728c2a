#pragma once

#include <cstdint>
#include <set>

#include "base/result.h"
#include "promql/engine.h"
#include "telemetry/labels.h"

namespace atalaya::alertd {

// Which scrape targets (`up`), packet clients (`cloud_client_up`) and probed targets
// (`probe_success`) are down at one moment.
class DownTargets {
 public:
  // Fails as Engine::EvaluateInstant does.
  static Result<DownTargets> At(const promql::Engine& engine, std::int64_t now_ms);

  // Whether what `labels` come from is down: their job and instance, their probe, or their client.
  bool Cover(const telemetry::Labels& labels) const;

 private:
  std::set<telemetry::Labels> down_;  // Of the labels that name a target only.
};

}  // namespace atalaya::alertd
