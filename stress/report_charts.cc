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

double Seconds(std::int64_t ns) { return static_cast<double>(ns) / 1e9; }

// Faults and alerts; where there are none, the seconds in which connections failed.
std::vector<ChartBand> Bands(const RunRecord& record) {
  std::vector<ChartBand> bands;
  for (const FaultOutcome& fault : record.faults) {
    if (fault.ended_ns == 0) continue;  // It never came to it.
    bands.push_back({Seconds(fault.began_ns),
                     Seconds(std::max(fault.ended_ns, fault.recovered_ns.value_or(0))),
                     std::string(FaultName(fault.fault.kind))});
  }
  for (const AlertEvent& alert : record.alerts) {
    const double to = alert.resolved_ns ? Seconds(*alert.resolved_ns) : Seconds(record.load_ns);
    if (to < 0) continue;
    bands.push_back(
        {std::max(Seconds(alert.fired_ns), 0.0), to, alert.name, ChartBand::Kind::kAlert});
  }
  if (!bands.empty()) return bands;
  for (const TimelineRow& row : record.timeline) {
    if (row.drain || row.failures == 0) continue;
    bands.push_back(
        {Seconds(row.from_ns), Seconds(row.to_ns), bands.empty() ? "connections failed" : ""});
  }
  return bands;
}

// Where each phase but the first begins.
std::vector<ChartMark> PhaseMarks(const RunRecord& record) {
  std::vector<ChartMark> marks;
  double at = 0;
  for (const Phase& phase : record.scenario.phases) {
    if (at > 0 && at < Seconds(record.load_ns)) marks.push_back({at, phase.name});
    at += std::chrono::duration<double>(phase.duration).count();
  }
  return marks;
}

Chart Timeline(const RunRecord& record, std::string title, std::string y_title,
               std::vector<ChartSeries> series) {
  Chart chart;
  chart.title = std::move(title);
  chart.x = TimeAxis(record);
  chart.series = std::move(series);
  chart.y = LinearAxis(std::move(y_title), kHeadroom * Largest(chart.series));
  chart.bands = Bands(record);
  chart.marks = PhaseMarks(record);
  return chart;
}

RowValue Latency(std::int64_t TimelineRow::*figure) {
  return [figure](const TimelineRow& row) {
    return row.received == 0 ? kGap : static_cast<double>(row.*figure);
  };
}

// Around all points of a chart.
Axis LatencyAxisOf(std::string title, const std::vector<ChartSeries>& series) {
  double lowest = 1e12;
  for (const ChartSeries& one : series) {
    for (const ChartPoint& point : one.points) {
      if (!std::isnan(point.y)) lowest = std::min(lowest, point.y);
    }
  }
  const double highest = Largest(series);
  return LatencyAxis(std::move(title), highest > 0 ? lowest : 1e3, std::max(highest, 1e4));
}

}  // namespace

std::vector<CurvePoint> PercentileCurve(const PhaseFigures& messages) {
  std::vector<CurvePoint> curve;
  if (messages.response.count() == 0) return curve;
  const double most =
      std::min(kMostNines, std::log10(static_cast<double>(messages.response.count())));
  const auto add = [&](double percent) {
    curve.push_back(
        {percent, messages.response.PercentileNs(percent), messages.service.PercentileNs(percent)});
  };
  for (int step = 0; step < most * kStepsPerNine; ++step) {
    add(100 * (1 - std::pow(10, -static_cast<double>(step) / kStepsPerNine)));
  }
  add(100);
  return curve;
}

Chart PercentileChart(const PhaseFigures& messages) {
  const std::vector<CurvePoint> curve = PercentileCurve(messages);
  const auto count = static_cast<double>(std::max<std::uint64_t>(messages.response.count(), 2));
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
  const auto rate = [](auto figure) -> RowValue {
    return [figure](const TimelineRow& row) {
      return row.PerSecond(static_cast<double>(row.*figure));
    };
  };
  std::vector<ChartSeries> series = {
      {"deliveries planned", 3, RowPoints(record, rate(&TimelineRow::planned_deliveries))},
      {"deliveries received", 0, RowPoints(record, rate(&TimelineRow::received))}};
  series.insert(series.begin() + 1,
                {"messages sent", 1, RowPoints(record, rate(&TimelineRow::sent))});
  return Timeline(record, "Messages per second over time", "per second", std::move(series));
}

Chart LatencyChart(const RunRecord& record) {
  ChartSeries p99{"p99", 1, RowPoints(record, Latency(&TimelineRow::p99_ns))};
  ChartSeries p50{"p50", 0, RowPoints(record, Latency(&TimelineRow::p50_ns))};
  p99.floor = p50.points;
  Chart chart = Timeline(record, "Response time over time", "response time",
                         {{"largest", 3, RowPoints(record, Latency(&TimelineRow::max_ns))},
                          std::move(p99),
                          {"p90", 2, RowPoints(record, Latency(&TimelineRow::p90_ns))},
                          std::move(p50)});
  chart.y = LatencyAxisOf("response time", chart.series);
  return chart;
}

Chart CpuChart(const RunRecord& record) {
  return Timeline(
      record, "CPU of server and generator over time", "percent of one CPU",
      {{"server", 0,
        RowPoints(
            record,
            [](const TimelineRow& row) { return row.server ? row.server->cpu_percent : kGap; })},
       {"generator", 3,
        RowPoints(record, [](const TimelineRow& row) { return row.GeneratorCpuPercent(); })}});
}

Chart ServerMemoryChart(const RunRecord& record) {
  return Timeline(record, "The server's resident memory over time", "MB",
                  {{"server memory", 2, RowPoints(record, [](const TimelineRow& row) {
                      return row.server ? static_cast<double>(row.server->memory_bytes) / kMegabyte
                                        : kGap;
                    })}});
}

Chart ConnectionsChart(const RunRecord& record) {
  return Timeline(record, "Connections over time", "connections",
                  {{"ready", 0, RowPoints(record, [](const TimelineRow& row) {
                      return static_cast<double>(row.connections);
                    })}});
}

std::vector<LoadPoint> LoadPointsOf(const RunRecord& record) {
  std::vector<LoadPoint> points;
  for (std::size_t i = 0; i < record.totals.phases.size(); ++i) {
    const Phase& phase = record.scenario.phases[i];
    const PhaseFigures& figures = record.totals.phases[i];
    const double seconds = std::chrono::duration<double>(phase.duration).count();
    if (phase.load_from != phase.load_to || figures.response.count() == 0) continue;
    points.push_back({phase.name, phase.load_from * record.scenario.rate_per_s(),
                      static_cast<double>(figures.received) / seconds,
                      figures.response.PercentileNs(50), figures.response.PercentileNs(99)});
  }
  std::stable_sort(points.begin(), points.end(), [](const LoadPoint& a, const LoadPoint& b) {
    return a.rate_per_s < b.rate_per_s;
  });
  return points;
}

std::vector<LoadPoint> LoadPointsOf(const CapacityRecord& capacity) {
  std::vector<LoadPoint> points;
  for (const Probe& probe : capacity.probes) {
    if (probe.p99_ns == 0) continue;
    points.push_back({probe.met ? "met" : probe.missed, probe.rate_per_s, probe.delivered_per_s,
                      probe.p50_ns, probe.p99_ns});
  }
  std::stable_sort(points.begin(), points.end(), [](const LoadPoint& a, const LoadPoint& b) {
    return a.rate_per_s < b.rate_per_s;
  });
  return points;
}

Chart LoadChart(const std::vector<LoadPoint>& points, double knee_per_s, double capacity_per_s) {
  Chart chart;
  chart.title = "Response time by offered rate";
  ChartSeries p99{"p99", 1, {}, {}, true}, p50{"p50", 0, {}, {}, true};
  double highest = 0;
  for (const LoadPoint& point : points) {
    p99.points.push_back({point.rate_per_s, static_cast<double>(point.p99_ns)});
    p50.points.push_back({point.rate_per_s, static_cast<double>(point.p50_ns)});
    highest = std::max(highest, point.rate_per_s);
  }
  chart.x = LinearAxis("messages per second, offered", highest);
  chart.series = {std::move(p99), std::move(p50)};
  chart.y = LatencyAxisOf("response time", chart.series);
  if (knee_per_s > 0) chart.marks.push_back({knee_per_s, "knee"});
  if (capacity_per_s > 0) chart.marks.push_back({capacity_per_s, "capacity"});
  if (knee_per_s == capacity_per_s && knee_per_s > 0)
    chart.marks = {{knee_per_s, "knee, capacity"}};
  std::sort(chart.marks.begin(), chart.marks.end(),
            [](const ChartMark& a, const ChartMark& b) { return a.at < b.at; });
  return chart;
}

}  // namespace atalaya::stress
