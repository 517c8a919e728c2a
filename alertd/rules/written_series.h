#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <vector>

#include "telemetry/sample.h"
#include "telemetry/series.h"

namespace atalaya::alertd {

// The series that one recording rule writes. What is not written any more gets a stale marker.
// Threads: one at a time.
class WrittenSeries {
 public:
  // Puts `samples`, all of them at `now_ms` and each of other labels, behind `out`, then the stale
  // markers of the series that the last Write had and this one has not.
  void Write(std::vector<telemetry::LabelledSample> samples, std::int64_t now_ms,
             std::vector<telemetry::SeriesSample>& out);

  // Puts the series of the last Write behind `out`, for another to end, and forgets them.
  void Give(std::vector<std::shared_ptr<telemetry::Series>>& out);

 private:
  using SeriesPtr = std::shared_ptr<telemetry::Series>;
  struct ByLabels {
    using is_transparent = void;
    static const telemetry::Labels& Of(const SeriesPtr& series) { return series->labels; }
    static const telemetry::Labels& Of(const telemetry::Labels& labels) { return labels; }
    bool operator()(const auto& a, const auto& b) const { return Of(a) < Of(b); }
  };

  std::set<SeriesPtr, ByLabels> last_;
};

}  // namespace atalaya::alertd
