#include "alertd/rules/written_series.h"

#include <utility>

namespace atalaya::alertd {

void WrittenSeries::Write(std::vector<telemetry::LabelledSample> samples, std::int64_t now_ms,
                          std::vector<telemetry::LabelledSample>& out) {
  std::set<telemetry::Labels> ended = std::exchange(last_, {});
  for (telemetry::LabelledSample& each : samples) {
    ended.erase(each.labels);
    last_.insert(each.labels);
    out.push_back(std::move(each));
  }
  for (const telemetry::Labels& labels : ended)
    out.push_back({labels, {now_ms, telemetry::StaleMarker()}});
}

}  // namespace atalaya::alertd
