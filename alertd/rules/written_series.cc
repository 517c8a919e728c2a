#include "alertd/rules/written_series.h"

#include <utility>

namespace atalaya::alertd {

void WrittenSeries::Write(std::vector<telemetry::LabelledSample> samples, std::int64_t now_ms,
                          std::vector<telemetry::SeriesSample>& out) {
  std::set<SeriesPtr, ByLabels> ended = std::exchange(last_, {});
  for (telemetry::LabelledSample& each : samples) {
    const auto known = ended.find(each.labels);
    auto node = known != ended.end() ? ended.extract(known) : decltype(ended)::node_type();
    if (node.empty()) {
      out.push_back({std::make_shared<telemetry::Series>(std::move(each.labels)), each.sample});
      last_.insert(out.back().series);
    } else {
      out.push_back({node.value(), each.sample});
      last_.insert(std::move(node));
    }
  }
  for (const SeriesPtr& series : ended) out.push_back({series, {now_ms, telemetry::StaleMarker()}});
}

void WrittenSeries::Give(std::vector<std::shared_ptr<telemetry::Series>>& out) {
  out.insert(out.end(), last_.begin(), last_.end());
  last_.clear();
}

}  // namespace atalaya::alertd
