#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "telemetry/series_source.h"

namespace atalaya::promql {

// A few series in memory: for tests and for promqltest files. Select scans them all.
// Threads: one while it is filled, then any.
class MemorySource : public telemetry::SeriesSource {
 public:
  // In any order of time; a second sample of the same time replaces the first.
  void Add(const telemetry::Labels& labels, telemetry::Sample sample);
  void Clear() { series_.clear(); }

  Result<std::vector<telemetry::SeriesSamples>> Select(
      const telemetry::SelectRequest& request) const override;

 private:
  std::map<telemetry::Labels, std::map<std::int64_t, double>> series_;
};

}  // namespace atalaya::promql
