#include "alertd/collect/probe/probe_series.h"

#include <algorithm>
#include <utility>

namespace atalaya::alertd {

using telemetry::NamedSeries;
using telemetry::StaleMarker;

ProbeSeries::ProbeSeries(telemetry::Labels labels)
    : labels_(std::move(labels)),
      success_(NamedSeries(labels_, "probe_success")),
      duration_(NamedSeries(labels_, "probe_duration_seconds")) {}

void ProbeSeries::Write(bool up, double duration_s, const std::vector<ProbeValue>& values,
                        std::int64_t time_ms, Samples& samples) {
  samples.push_back({success_, {time_ms, up ? 1.0 : 0.0}});
  samples.push_back({duration_, {time_ms, duration_s}});
  std::vector<Entry> now;
  now.reserve(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    now.push_back(TakeOrMake(values[i], i));
    samples.push_back({now.back().series, {time_ms, values[i].value}});
  }
  for (const Entry& left : entries_) {
    if (left.series) samples.push_back({left.series, {time_ms, StaleMarker()}});
  }
  entries_ = std::move(now);
}

// As a rule it stands where it stood in the look before.
ProbeSeries::Entry ProbeSeries::TakeOrMake(const ProbeValue& value, std::size_t place) {
  const auto is_it = [&](const Entry& entry) {
    return entry.series && entry.metric == value.metric && entry.label_value == value.label_value;
  };
  auto found = entries_.begin() + static_cast<std::ptrdiff_t>(std::min(place, entries_.size()));
  if (found == entries_.end() || !is_it(*found))
    found = std::find_if(entries_.begin(), entries_.end(), is_it);
  if (found != entries_.end()) return std::exchange(*found, Entry{});
  telemetry::Labels labels = labels_;
  if (!value.label.empty()) labels.Set(value.label, value.label_value);
  return {value.metric, value.label_value, NamedSeries(std::move(labels), value.metric)};
}

void ProbeSeries::EndAll(std::int64_t time_ms, Samples& samples) {
  samples.push_back({success_, {time_ms, StaleMarker()}});
  samples.push_back({duration_, {time_ms, StaleMarker()}});
  for (const Entry& entry : entries_) samples.push_back({entry.series, {time_ms, StaleMarker()}});
  entries_.clear();
}

}  // namespace atalaya::alertd
