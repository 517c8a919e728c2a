#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "alertd/collect/probe/probe_outcome.h"
#include "telemetry/series.h"

namespace atalaya::alertd {

// The series of one probe from look to look. One that a look no longer brings ends with a stale
// marker. Threads: one at a time.
class ProbeSeries {
 public:
  // `labels`: those that all of them have.
  explicit ProbeSeries(telemetry::Labels labels);

  using Samples = std::vector<telemetry::SeriesSample>;

  void Write(bool up, double duration_s, const std::vector<ProbeValue>& values,
             std::int64_t time_ms, Samples& samples);
  void EndAll(std::int64_t time_ms, Samples& samples);

 private:
  struct Entry {
    std::string_view metric;
    std::string label_value;
    std::shared_ptr<telemetry::Series> series;
  };
  Entry TakeOrMake(const ProbeValue& value, std::size_t place);

  const telemetry::Labels labels_;
  const std::shared_ptr<telemetry::Series> success_, duration_;
  std::vector<Entry> entries_;  // Of the last look, in its order.
};

}  // namespace atalaya::alertd
