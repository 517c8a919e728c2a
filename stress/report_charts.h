#pragma once

#include <string>
#include <vector>

#include "stress/run_record.h"
#include "stress/svg_chart.h"

namespace atalaya::stress {

// A point of the percentile curve: so many percent of the messages took at most so long.
struct CurvePoint {
  double percent = 0;
  std::int64_t response_ns = 0;
  std::int64_t service_ns = 0;
};

// From the minimum to the maximum, denser towards the tail, only as far as the count carries.
std::vector<CurvePoint> PercentileCurve(const WorkerFigures& totals);

Chart PercentileChart(const WorkerFigures& totals);
Chart ThroughputChart(const RunRecord& record);
Chart LatencyChart(const RunRecord& record);
Chart ServerCpuChart(const RunRecord& record);
Chart ServerMemoryChart(const RunRecord& record);

}  // namespace atalaya::stress
