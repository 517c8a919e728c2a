#include <fmt/format.h>

#include <algorithm>

#include "base/html_text.h"
#include "stress/html_parts.h"
#include "stress/percentiles.h"
#include "stress/report_charts.h"
#include "stress/report_sections.h"
#include "stress/wording.h"

namespace atalaya::stress {
namespace {

std::string MetWord(bool met) { return met ? "MET" : "MISSED"; }

std::string SecondsOf(std::int64_t ns) { return WordNumber(static_cast<double>(ns) / 1e9); }

std::string TimelineTable(const RunRecord& record) {
  std::vector<Cells> rows;
  for (const TimelineRow& row : record.timeline) {
    const auto latency = [&row](std::int64_t ns) {
      return row.received == 0 ? std::string("-") : WordLatency(ns);
    };
    rows.push_back({fmt::format("{}{} - {} s", row.drain ? "drain, " : "", SecondsOf(row.from_ns),
                                SecondsOf(row.to_ns)),
                    WordCount(row.planned), WordCount(row.sent), WordCount(row.received),
                    latency(row.p50_ns), latency(row.p90_ns), latency(row.p99_ns),
                    latency(row.max_ns), std::to_string(row.connections), WordCount(row.failures),
                    WordPercent(row.GeneratorCpuPercent()),
                    row.server ? WordPercent(row.server->cpu_percent) : "-",
                    row.server ? WordBytes(row.server->memory_bytes) : "-"});
  }
  return FigureTable("",
                     {"Second", "Planned", "Sent", "Received", "p50", "p90", "p99", "Largest",
                      "Connections", "Failures", "Generator CPU", "Server CPU", "Server memory"},
                     rows);
}

}  // namespace

std::string ObjectivesSection(const Report& report) {
  if (report.verdict.objectives.empty()) return "";
  std::vector<Cells> rows;
  for (const ObjectiveResult& result : report.verdict.objectives) {
    rows.push_back({result.objective.text, result.scope.empty() ? "the run" : result.scope,
                    result.measured, MetWord(result.met)});
  }
  return Section("Objectives", WordTable({"Objective", "Of", "Measured", "Result"}, rows));
}

std::string CapacitySection(const Report& report) {
  if (!report.capacity) return "";
  const CapacityRecord& capacity = *report.capacity;
  const std::vector<LoadPoint> points = LoadPointsOf(capacity);
  std::string html =
      points.empty()
          ? ""
          : Figure(LoadChart(points, capacity.knee_per_s, capacity.capacity_per_s), kWideChart);
  std::vector<Cells> rows;
  for (const Probe& probe : capacity.probes) {
    rows.push_back(
        {fmt::format("{}{}", WordNumber(probe.rate_per_s), probe.repetition ? ", repeated" : ""),
         WordNumber(probe.delivered_per_s), WordLatency(probe.p50_ns), WordLatency(probe.p99_ns),
         WordCount(probe.lost), WordCount(probe.failures),
         probe.server_cpu_percent < 0 ? "-" : WordPercent(probe.server_cpu_percent),
         WordPercent(probe.generator_cpu_percent), std::string(ValidityName(probe.validity)),
         probe.met ? "met" : "missed, " + probe.missed});
  }
  html += Details("Every rate that was tried",
                  FigureTable("",
                              {"Messages/s", "Deliveries/s", "p50", "p99", "Lost", "Failures",
                               "Server CPU", "Generator CPU", "Run", "Objectives"},
                              rows));
  return Section("Capacity", html);
}

std::string TimelineSection(const RunRecord& record) {
  const bool loaded = std::any_of(record.timeline.begin(), record.timeline.end(),
                                  [](const TimelineRow& row) { return !row.drain; });
  if (!loaded) return Section("Over time", "<p>The load never began.</p>");
  std::string html;
  if (!record.faults.empty() || !record.alerts.empty()) {
    html +=
        "<p class=\"soft\">Shaded: a fault, from its beginning until all was as before. Strip "
        "at the foot: an alert fired.</p>";
  }
  html += "<h3>Throughput</h3>" + Figure(ThroughputChart(record), kWideChart);
  if (record.messages.response.count() > 0) {
    html += "<h3>Response time</h3>" + Figure(LatencyChart(record), kWideChart);
  }
  html += "<h3>CPU</h3>" + Figure(CpuChart(record), kFlatChart);
  if (record.server.empty()) {
    html +=
        "<p class=\"soft\">No figures of the server: " + EscapeHtml(record.server_note) + ".</p>";
  } else {
    html += "<h3>The server's memory</h3>" + Figure(ServerMemoryChart(record), kFlatChart);
  }
  html += "<h3>Connections</h3>" + Figure(ConnectionsChart(record), kFlatChart);
  return Section("Over time", html + Details("These charts as a table", TimelineTable(record)));
}

std::string LatencySection(const RunRecord& record) {
  const PhaseFigures& messages = record.messages;
  if (messages.response.count() == 0) {
    return record.planned == 0 ? "" : Section("Latency", "<p>No message arrived.</p>");
  }
  std::string html =
      "<p class=\"soft\">Response time counts from the moment a message was due, so that a stall "
      "is "
      "charged with every message it delayed; service time counts from the moment it was sent; "
      "send "
      "lag lies between the two. Percentiles are those of all messages together, to 0.8 %.</p>";
  std::vector<Cells> rows;
  const auto word = [](const LatencyHistogram& histogram, double percent) {
    return WordLatency(histogram.PercentileNs(percent));
  };
  for (const Percentile& percentile : kPercentiles) {
    rows.push_back({std::string(percentile.name), word(messages.response, percentile.percent),
                    word(messages.service, percentile.percent),
                    word(record.totals.send_lag, percentile.percent)});
  }
  const auto mean = [](const LatencyHistogram& histogram) {
    return WordLatency(static_cast<std::int64_t>(histogram.MeanNs()));
  };
  rows.push_back(
      {"mean", mean(messages.response), mean(messages.service), mean(record.totals.send_lag)});
  html += FigureTable(fmt::format("{} deliveries", WordCount(messages.response.count())),
                      {"", "Response", "Service", "Send lag"}, rows);
  html += "<h3>By percentile</h3>" + Figure(PercentileChart(messages), kWideChart);
  std::vector<Cells> points;
  for (const CurvePoint& point : PercentileCurve(messages)) {
    points.push_back({fmt::format("{:.6g} %", point.percent), WordLatency(point.response_ns),
                      WordLatency(point.service_ns)});
  }
  html += Details("The curve as a table",
                  FigureTable("", {"Percentile", "Response", "Service"}, points));
  return Section("Latency", html);
}

std::string PhasesSection(const RunRecord& record) {
  if (record.scenario.phases.size() < 2) return "";
  std::vector<Cells> rows;
  for (std::size_t i = 0; i < record.totals.phases.size(); ++i) {
    const Phase& phase = record.scenario.phases[i];
    const PhaseFigures& figures = record.totals.phases[i];
    const double seconds = std::chrono::duration<double>(phase.duration).count();
    const auto latency = [&figures](double percent) {
      return figures.response.count() == 0 ? std::string("-")
                                           : WordLatency(figures.response.PercentileNs(percent));
    };
    rows.push_back({phase.name,
                    phase.load_from == phase.load_to
                        ? fmt::format("{:g}", phase.load_from)
                        : fmt::format("{:g} to {:g}", phase.load_from, phase.load_to),
                    fmt::format("{:g} s", seconds),
                    WordNumber(static_cast<double>(figures.sent) / seconds),
                    WordNumber(static_cast<double>(figures.received) / seconds),
                    WordCount(figures.expected - std::min(figures.expected, figures.received)),
                    latency(50), latency(99), latency(100)});
  }
  std::string html = FigureTable(
      "Messages count where they were due.",
      {"Phase", "Load", "Length", "Sent/s", "Received/s", "Missing", "p50", "p99", "Largest"},
      rows);
  const std::vector<LoadPoint> points = LoadPointsOf(record);
  if (points.size() > 2) {
    std::vector<Probe> probes(points.size());
    for (std::size_t i = 0; i < points.size(); ++i) {
      probes[i].rate_per_s = points[i].rate_per_s;
      probes[i].p99_ns = points[i].p99_ns;
    }
    html += "<h3>Response time by offered rate</h3>" +
            Figure(LoadChart(points, FindKnee(probes), 0), kWideChart);
  }
  return Section("Phases", html);
}

}  // namespace atalaya::stress
