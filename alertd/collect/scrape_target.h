#pragma once

#include <chrono>
#include <string>

#include "alertd/collect/collect_config.h"
#include "base/result.h"
#include "telemetry/labels.h"

namespace atalaya::alertd {

// One target with all that its labels decide.
struct ScrapeTarget {
  std::string url;
  telemetry::Labels labels;  // That its series carry: job, instance and those of the configuration.
  LabelMap discovered;       // What it was made of, as /api/v1/targets shows it.
  std::chrono::milliseconds interval{0};
  std::chrono::milliseconds timeout{0};

  friend bool operator==(const ScrapeTarget&, const ScrapeTarget&) = default;
};

// Makes a target of `address` ("host:port", or with http:// or https:// in front) as Prometheus
// does: `own` are the labels that came with it. They win over those of `config`; the special ones
// __scheme__, __metrics_path__, __param_NAME, __scrape_interval__, __scrape_timeout__, job and
// instance win over its keys; all that begin with "__" are left out of `labels`. kInvalid names
// what is wrong with an address, a label or a time.
Result<ScrapeTarget> MakeScrapeTarget(const ScrapeConfig& config, const std::string& address,
                                      const LabelMap& own);

}  // namespace atalaya::alertd
