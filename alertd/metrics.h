#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "alertd/collect/collector.h"
#include "alertd/notify/counters.h"
#include "alertd/notify/notice_lag.h"
#include "alertd/pulse.h"
#include "alertd/notify/posted_alerts.h"
#include "alertd/rules/rule_snapshot.h"
#include "telemetry/text_writer.h"

namespace atalaya::alertd {

// How the last attempt to read the configuration went. Threads: any.
struct ReloadStatus {
  std::atomic<bool> successful{true};
  std::atomic<std::int64_t> success_ms{0};  // UTC; of the start, until the first reload.
};

struct MetricsInput {
  std::int64_t started_ms = 0;
  bool reload_successful = true;
  std::int64_t reload_success_ms = 0;
  CollectFigures collect;
  RuleTotals rules;
  std::vector<ReceiverCounters> receivers;
  LagHistograms lag;
  PulseFigures pulse;
  PostedFigures posted;
};

// alertd's own families, those of the history aside (docs/reference/cloud_alertd.md lists them).
void WriteMetrics(telemetry::TextWriter& page, const MetricsInput& input);

}  // namespace atalaya::alertd
