#pragma once

#include <string>
#include <vector>

#include "stress/capacity.h"
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
std::vector<CurvePoint> PercentileCurve(const PhaseFigures& messages);

Chart PercentileChart(const PhaseFigures& messages);

// The panels of the timeline; all have the same time axis, and show faults, alerts and phases.
Chart ThroughputChart(const RunRecord& record);
Chart LatencyChart(const RunRecord& record);
Chart CpuChart(const RunRecord& record);
Chart ServerMemoryChart(const RunRecord& record);
Chart ConnectionsChart(const RunRecord& record);

// A point of latency against throughput.
struct LoadPoint {
  std::string name;
  double rate_per_s = 0;  // Offered.
  double delivered_per_s = 0;
  std::int64_t p50_ns = 0;
  std::int64_t p99_ns = 0;
};
// Phases of a steady load, by rate.
std::vector<LoadPoint> LoadPointsOf(const RunRecord& record);
std::vector<LoadPoint> LoadPointsOf(const CapacityRecord& capacity);
Chart LoadChart(const std::vector<LoadPoint>& points, double knee_per_s, double capacity_per_s);

}  // namespace atalaya::stress
