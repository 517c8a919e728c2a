#pragma once

#include <cstdint>
#include <set>
#include <vector>

#include "telemetry/labels.h"
#include "telemetry/series_source.h"

namespace atalaya::alertd {

// The series that one rule writes: a recording rule's result, or an alerting rule's ALERTS and
// ALERTS_FOR_STATE. What is not written any more gets a stale marker. Threads: one at a time.
class WrittenSeries {
 public:
  // Puts `samples`, all of them at `now_ms`, behind `out`, then the stale markers of the series
  // that the last Write had and this one has not.
  void Write(std::vector<telemetry::LabelledSample> samples, std::int64_t now_ms,
             std::vector<telemetry::LabelledSample>& out);

 private:
  std::set<telemetry::Labels> last_;
};

}  // namespace atalaya::alertd
