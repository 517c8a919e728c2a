#include "history/head.h"

#include <algorithm>

namespace atalaya::history {

SeriesState& Head::Add(SeriesId id, const telemetry::Labels& labels) {
  const auto [entry, added] = by_labels.try_emplace(labels, id);
  SeriesState& state = series[entry->second];
  state.labels = &entry->first;
  if (added) index.Add(id, labels);
  next_id = std::max(next_id, id + 1);
  return state;
}

void Head::Remove(SeriesId id) {
  const auto at = series.find(id);
  if (at == series.end()) return;
  index.Remove(id, *at->second.labels);
  by_labels.erase(by_labels.find(*at->second.labels));
  series.erase(at);
}

}  // namespace atalaya::history
