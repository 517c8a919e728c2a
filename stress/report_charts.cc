#include "stress/report_charts.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

namespace atalaya::stress {
namespace {

constexpr int kStepsPerNine = 12;
constexpr double kMostNines = 9;
constexpr double kGap = std::numeric_limits<double>::quiet_NaN();
constexpr double kHeadroom = 1.08;  // So that a line never lies on the frame.
constexpr double kMegabyte = 1e6;

double Nines(double percent) { return -std::log10(1 - percent / 100); }

using RowValue = std::function<double(const TimelineRow&)>;

// One point in the middle of each second of the load.
std::vector<ChartPoint> RowPoints(const RunRecord& record, const RowValue& value) {
  std::vector<ChartPoint> points;
  for (const TimelineRow& row : record.timeline) {
    if (row.drain || row.to_ns <= row.from_ns) continue;
    points.push_back({static_cast<double>(row.from_ns + row.to_ns) / 2e9, value(row)});
  }
  return points;
}

double Largest(const std::vector<ChartSeries>& series) {
  double largest = 0;
  for (const ChartSeries& one : series) {
    for (const ChartPoint& point : one.points) {
      if (!std::isnan(point.y)) largest = std::max(largest, point.y);
    }
  }
  return largest;
}

Axis TimeAxis(const RunRecord& record) {
  const double length_s = static_cast<double>(record.load_ns) / 1e9;
  Axis axis = LinearAxis("seconds since the load began", length_s);
  axis.max = std::max(length_s, 1e-3);
  std::erase_if(axis.ticks, [&](const Tick& tick) { return tick.at > axis.max; });
  return axis;
}

// Shades the seconds in which connections failed.
std::vector<ChartBand> FailureBands(const RunRecord& record) {
  std::vector<ChartBand> bands;
  for (const TimelineRow& row : record.timeline) {
    if (row.drain || row.failures == 0) continue;
    bands.push_back({static_cast<double>(row.from_ns) / 1e9, static_cast<double>(row.to_ns) / 1e9,
                     "connections failed"});
  }
  if (bands.size() > 1) {
    for (auto band = bands.begin() + 1; band != bands.end(); ++band) band->label.clear();
  }
  return bands;
}

Chart Timeline(const RunRecord& record, std::string title, std::string y_title,
               std::vector<ChartSeries> series) {
  Chart chart;
  chart.title = std::move(title);
  chart.x = TimeAxis(record);
  chart.series = std::move(series);
  chart.y = LinearAxis(std::move(y_title), kHeadroom * Largest(chart.series));
  chart.bands = FailureBands(record);
  return chart;
}

RowValue Latency(std::int64_t TimelineRow::*figure) {
  return [figure](const TimelineRow& row) {
    return row.received == 0 ? kGap : static_cast<double>(row.*figure);
  };
}

}  // namespace

std::vector<CurvePoint> PercentileCurve(const WorkerFigures& totals) {
  std::vector<CurvePoint> curve;
  if (totals.response.count() == 0) return curve;
  const double most =
      std::min(kMostNines, std::log10(static_cast<double>(totals.response.count())));
  const auto add = [&](double percent) {
    curve.push_back(
        {percent, totals.response.PercentileNs(percent), totals.service.PercentileNs(percent)});
  };
  for (int step = 0; step < most * kStepsPerNine; ++step) {
    add(100 * (1 - std::pow(10, -static_cast<double>(step) / kStepsPerNine)));
  }
  add(100);
  return curve;
}

Chart PercentileChart(const WorkerFigures& totals) {
  const std::vector<CurvePoint> curve = PercentileCurve(totals);
  const auto count = static_cast<double>(std::max<std::uint64_t>(totals.response.count(), 2));
  Chart chart;
  chart.title = "Latency by percentile, from the intended and from the actual send time";
  chart.x.title = "percentile";
  chart.x.max = std::min(kMostNines, std::log10(count));
  constexpr std::pair<double, const char*> kTicks[] = {
      {0, "0"},       {50, "50"},       {90, "90"},        {99, "99"},
      {99.9, "99.9"}, {99.99, "99.99"}, {99.999, "99.999"}};
  for (const auto& [percent, label] : kTicks) {
    if (Nines(percent) <= chart.x.max) chart.x.ticks.push_back({Nines(percent), label});
  }
  ChartSeries response{"response, from the intended send time", 0, {}};
  ChartSeries service{"service, from the actual send time", 1, {}};
  double lowest = 1e12, highest = 1;
  for (const CurvePoint& point : curve) {
    const double x = point.percent < 100 ? Nines(point.percent) : chart.x.max;
    response.points.push_back({x, static_cast<double>(point.response_ns)});
    service.points.push_back({x, static_cast<double>(point.service_ns)});
    lowest = std::min({lowest, response.points.back().y, service.points.back().y});
    highest = std::max({highest, response.points.back().y, service.points.back().y});
  }
  chart.y = LatencyAxis("latency", curve.empty() ? 1e3 : lowest, highest);
  chart.series = {std::move(response), std::move(service)};
  return chart;
}

Chart ThroughputChart(const RunRecord& record) {
  const auto rate = [](std::uint64_t TimelineRow::*figure) -> RowValue {
    return [figure](const TimelineRow& row) { return row.PerSecond(row.*figure); };
  };
  return Timeline(record, "Messages per second over time", "messages per second",
                  {{"planned", 3, RowPoints(record, rate(&TimelineRow::planned))},
                   {"sent", 1, RowPoints(record, rate(&TimelineRow::sent))},
                   {"received", 0, RowPoints(record, rate(&TimelineRow::received))}});
}

Chart LatencyChart(const RunRecord& record) {
  Chart chart = Timeline(record, "Response time over time", "response time",
                         {{"largest", 2, RowPoints(record, Latency(&TimelineRow::max_ns))},
                          {"p99", 1, RowPoints(record, Latency(&TimelineRow::p99_ns))},
                          {"p50", 0, RowPoints(record, Latency(&TimelineRow::p50_ns))}});
  double lowest = 1e12;
  for (const ChartPoint& point : chart.series.back().points) {
    if (!std::isnan(point.y)) lowest = std::min(lowest, point.y);
  }
  const double highest = Largest(chart.series);
  chart.y = LatencyAxis("response time", highest > 0 ? lowest : 1e3, std::max(highest, 1e4));
  return chart;
}

Chart ServerCpuChart(const RunRecord& record) {
  return Timeline(record, "The server's CPU over time", "percent of one CPU",
                  {{"server CPU", 0, RowPoints(record, [](const TimelineRow& row) {
                      return row.server ? row.server->cpu_percent : kGap;
                    })}});
}

Chart ServerMemoryChart(const RunRecord& record) {
  return Timeline(record, "The server's resident memory over time", "MB",
                  {{"server memory", 2, RowPoints(record, [](const TimelineRow& row) {
                      return row.server ? static_cast<double>(row.server->memory_bytes) / kMegabyte
                                        : kGap;
                    })}});
}

}  // namespace atalaya::stress
