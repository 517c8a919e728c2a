#include "stress/report_html.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <numeric>
#include <vector>

#include "base/clock.h"
#include "base/duration.h"
#include "base/html_text.h"
#include "base/version.h"
#include "stress/percentiles.h"
#include "stress/report_charts.h"
#include "stress/report_style.h"
#include "stress/wording.h"

namespace atalaya::stress {
namespace {

constexpr ChartSize kWide{1050, 290};
constexpr ChartSize kHalf{520, 210};
constexpr ChartSize kNarrow{340, 210};

using Cells = std::vector<std::string>;

std::string Lower(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return lower;
}

// A table whose first column names the row and whose others are figures.
std::string FigureTable(const std::string& caption, const Cells& head,
                        const std::vector<Cells>& rows) {
  std::string html = "<div class=\"scroll\"><table>";
  if (!caption.empty()) html += "<caption>" + EscapeHtml(caption) + "</caption>";
  html += "<thead><tr>";
  for (std::size_t i = 0; i < head.size(); ++i) {
    html += fmt::format("<th scope=\"col\"{}>{}</th>", i == 0 ? "" : " class=\"num\"",
                        EscapeHtml(head[i]));
  }
  html += "</tr></thead><tbody>";
  for (const Cells& row : rows) {
    html += "<tr>";
    for (std::size_t i = 0; i < row.size(); ++i) {
      html += i == 0 ? fmt::format("<th scope=\"row\">{}</th>", EscapeHtml(row[i]))
                     : fmt::format("<td class=\"num\">{}</td>", EscapeHtml(row[i]));
    }
    html += "</tr>";
  }
  return html + "</tbody></table></div>";
}

std::string FactTable(const std::vector<std::pair<std::string, std::string>>& facts) {
  std::string html = "<table class=\"facts\"><tbody>";
  for (const auto& [name, value] : facts) {
    if (value.empty()) continue;
    html += fmt::format("<tr><th scope=\"row\">{}</th><td>{}</td></tr>", EscapeHtml(name),
                        EscapeHtml(value));
  }
  return html + "</tbody></table>";
}

std::string Details(const std::string& summary, const std::string& content) {
  return fmt::format("<details><summary>{}</summary>{}</details>", EscapeHtml(summary), content);
}

std::string Figure(const Chart& chart, const ChartSize& size) {
  std::string html = fmt::format("<p class=\"key\">");
  for (const ChartSeries& series : chart.series) {
    html +=
        fmt::format("<span><i class=\"k{}\"></i>{}</span>", series.colour, EscapeHtml(series.name));
  }
  html += fmt::format("({})</p>", EscapeHtml(chart.y.title));
  return html + "<div class=\"wide\">" + RenderSvg(chart, size) + "</div><div class=\"narrow\">" +
         RenderSvg(chart, kNarrow) + "</div>";
}

std::string VerdictSection(const Verdict& verdict) {
  const std::string name(ValidityName(verdict.validity));
  std::string html = fmt::format("<section class=\"verdict {}\"><span class=\"badge {}\">{}</span>",
                                 verdict.target_failed ? "failed" : Lower(name), Lower(name), name);
  if (verdict.target_failed) html += "<span class=\"badge failed\">TARGET FAILED</span>";
  html += fmt::format("<p class=\"sentence\">{}.</p>", EscapeHtml(verdict.sentence));
  std::string items;
  for (const Check& check : verdict.checks) {
    if (check.result == Validity::kValid) continue;
    const std::string result(ValidityName(check.result));
    items +=
        fmt::format("<li class=\"reason {}\">{}: {}: {} (wanted: {})</li>", Lower(result), result,
                    EscapeHtml(check.name), EscapeHtml(check.measured), EscapeHtml(check.wanted));
  }
  for (const std::string& note : verdict.notes) items += "<li>" + EscapeHtml(note) + "</li>";
  if (!items.empty()) html += "<ul>" + items + "</ul>";
  return html + "</section>";
}

std::string Tiles(const RunRecord& record) {
  const WorkerFigures& totals = record.totals;
  const double seconds = std::max(static_cast<double>(record.load_ns) / 1e9, 1e-9);
  double cpu = -1;
  std::uint64_t memory = 0;
  for (const TimelineRow& row : record.timeline) {
    if (!row.server || row.drain) continue;
    cpu = std::max(cpu, row.server->cpu_percent);
    memory = std::max(memory, row.server->memory_bytes);
  }
  const bool measured = totals.response.count() > 0;
  std::string html = "<div class=\"tiles\">";
  const auto tile = [&html](const std::string& value, std::string_view name) {
    html +=
        fmt::format("<div class=\"tile\"><b>{}</b><span>{}</span></div>", EscapeHtml(value), name);
  };
  tile(WordNumber(static_cast<double>(totals.ledger.sent) / seconds), "messages sent per second");
  tile(measured ? WordLatency(totals.response.PercentileNs(50)) : "-", "response time, p50");
  tile(measured ? WordLatency(totals.response.PercentileNs(99)) : "-", "response time, p99");
  tile(WordCount(totals.ledger.lost()), "messages lost");
  tile(WordCount(std::accumulate(totals.failures.begin(), totals.failures.end(), std::uint64_t{0})),
       "connections failed");
  tile(cpu < 0 ? "-" : WordPercent(cpu), "server CPU, highest second");
  tile(cpu < 0 ? "-" : WordBytes(memory), "server memory, highest");
  return html + "</div>";
}

std::string LatencySection(const RunRecord& record) {
  const WorkerFigures& totals = record.totals;
  std::string html = "<section><h2>Latency</h2>";
  if (totals.response.count() == 0) return html + "<p>No message arrived.</p></section>";
  html +=
      "<p class=\"soft\">Response time counts from the moment a message was due, so that a stall "
      "is "
      "charged with every message it delayed; service time counts from the moment it was sent.</p>";
  std::vector<Cells> rows;
  const auto word = [](const LatencyHistogram& histogram, double percent) {
    return WordLatency(histogram.PercentileNs(percent));
  };
  for (const Percentile& percentile : kPercentiles) {
    rows.push_back({std::string(percentile.name), word(totals.response, percentile.percent),
                    word(totals.service, percentile.percent),
                    word(totals.send_lag, percentile.percent)});
  }
  const auto mean = [](const LatencyHistogram& histogram) {
    return WordLatency(static_cast<std::int64_t>(histogram.MeanNs()));
  };
  rows.push_back({"mean", mean(totals.response), mean(totals.service), mean(totals.send_lag)});
  html += FigureTable(fmt::format("{} messages", WordCount(totals.response.count())),
                      {"", "Response", "Service", "Send lag"}, rows);
  html += "<h3>By percentile</h3>" + Figure(PercentileChart(totals), kWide);
  std::vector<Cells> points;
  for (const CurvePoint& point : PercentileCurve(totals)) {
    points.push_back({fmt::format("{:.6g} %", point.percent), WordLatency(point.response_ns),
                      WordLatency(point.service_ns)});
  }
  html += Details("The curve as a table",
                  FigureTable("", {"Percentile", "Response", "Service"}, points));
  return html + "</section>";
}

std::string TimelineTable(const RunRecord& record) {
  std::vector<Cells> rows;
  for (const TimelineRow& row : record.timeline) {
    const auto latency = [&row](std::int64_t ns) {
      return row.received == 0 ? std::string("-") : WordLatency(ns);
    };
    rows.push_back({(row.drain ? "drain, " : "") +
                        fmt::format("{} - {}", WordNumber(static_cast<double>(row.from_ns) / 1e9),
                                    WordSeconds(row.to_ns)),
                    WordCount(row.planned), WordCount(row.sent), WordCount(row.received),
                    latency(row.p50_ns), latency(row.p99_ns), latency(row.max_ns),
                    WordCount(row.failures),
                    row.server ? WordPercent(row.server->cpu_percent) : "-",
                    row.server ? WordBytes(row.server->memory_bytes) : "-",
                    WordPercent(row.GeneratorCpuPercent())});
  }
  return FigureTable("",
                     {"Time", "Planned", "Sent", "Received", "p50", "p99", "Largest",
                      "Connections failed", "Server CPU", "Server memory", "Generator CPU"},
                     rows);
}

std::string TimelineSection(const RunRecord& record) {
  std::string html = "<section><h2>Over time</h2>";
  const bool loaded = std::any_of(record.timeline.begin(), record.timeline.end(),
                                  [](const TimelineRow& row) { return !row.drain; });
  if (!loaded) return html + "<p>The load never began.</p></section>";
  html += "<h3>Throughput</h3>" + Figure(ThroughputChart(record), kWide);
  html += "<h3>Response time</h3>" + Figure(LatencyChart(record), kWide);
  if (record.server.empty()) {
    html += "<h3>The server</h3><p class=\"soft\">" + EscapeHtml(record.server_note) + ".</p>";
  } else {
    html += "<div class=\"pairs\"><div><h3>The server's CPU</h3>" +
            Figure(ServerCpuChart(record), kHalf) + "</div><div><h3>The server's memory</h3>" +
            Figure(ServerMemoryChart(record), kHalf) + "</div></div>";
  }
  return html + Details("These charts as a table", TimelineTable(record)) + "</section>";
}

std::string LedgerSection(const RunRecord& record) {
  const LedgerFigures& ledger = record.totals.ledger;
  std::vector<Cells> rows = {
      {"Planned", WordCount(record.planned)},       {"Sent", WordCount(ledger.sent)},
      {"Received", WordCount(ledger.received)},     {"Lost", WordCount(ledger.lost())},
      {"Duplicated", WordCount(ledger.duplicated)}, {"Reordered", WordCount(ledger.reordered)},
      {"Corrupted", WordCount(ledger.corrupted)}};
  if (record.scenario.qos > 0) {
    rows.insert(rows.begin() + 2, {"Acknowledged", WordCount(ledger.acknowledged)});
  }
  std::string html = "<section><h2>Ledger</h2>" + FigureTable("", {"Messages", ""}, rows);
  if (record.scenario.qos > 0) {
    html += "<p class=\"soft\">At QoS 1 a server may deliver a message twice.</p>";
  }
  return html + "</section>";
}

std::string ErrorSection(const RunRecord& record) {
  std::string html = "<section><h2>Connections and errors</h2>";
  html += fmt::format("<p>{} of {} connections were ready after {}.</p>",
                      WordCount(record.totals.connected), WordCount(record.totals.wanted),
                      WordSeconds(record.connect_ns));
  html +=
      "<table><thead><tr><th scope=\"col\">Class</th><th scope=\"col\" class=\"num\">Connections"
      "</th><th scope=\"col\">For example</th></tr></thead><tbody>";
  for (std::size_t i = 0; i < kFailureClasses; ++i) {
    html += fmt::format(
        "<tr><th scope=\"row\">{}</th><td class=\"num\">{}</td><td class=\"wrap\">{}</td></tr>",
        kFailureNames[i], WordCount(record.totals.failures[i]),
        EscapeHtml(record.totals.failure_examples[i]));
  }
  return html + "</tbody></table></section>";
}

std::string GeneratorSection(const RunRecord& record, const Verdict& verdict) {
  std::string html =
      "<section><h2>Can these figures be believed?</h2><table class=\"checks\"><thead><tr>"
      "<th scope=\"col\">Check</th><th scope=\"col\">Measured</th><th scope=\"col\">Wanted</th>"
      "<th scope=\"col\">Result</th></tr></thead><tbody>";
  for (const Check& check : verdict.checks) {
    const std::string name(ValidityName(check.result));
    html += fmt::format(
        "<tr><th scope=\"row\">{}</th><td>{}</td><td class=\"soft\">{}</td><td class=\"result "
        "{}\">{}</td></tr>",
        EscapeHtml(check.name), EscapeHtml(check.measured), EscapeHtml(check.wanted), Lower(name),
        name);
  }
  html += "</tbody></table>";
  const std::uint64_t sent = record.totals.ledger.sent;
  html += fmt::format(
      "<p class=\"soft\">The generator used {} of CPU time per message sent and "
      "received, on {} {}.</p>",
      sent == 0 ? "-" : WordLatency(record.totals.load_cpu_ns / static_cast<std::int64_t>(sent)),
      record.worker_cpu_percent.size(),
      record.worker_cpu_percent.size() == 1 ? "thread" : "threads");
  return html + "</section>";
}

std::string EnvironmentSection(const RunRecord& record) {
  const Environment& environment = record.environment;
  const Scenario& scenario = record.scenario;
  return "<section><h2>Environment</h2>" +
         FactTable(
             {{"Target", "mqtt://" + scenario.target.ToString()},
              {"Server", record.server.empty() ? record.server_note : record.server},
              {"Load", fmt::format("{} pairs, {} messages per second, {}, {} B payloads, QoS {}",
                                   scenario.clients, WordNumber(scenario.rate_per_s),
                                   FormatDuration(scenario.duration), scenario.payload_bytes,
                                   scenario.qos)},
              {"Started", FormatRfc3339(environment.started_ms)},
              {"Machine", environment.host},
              {"CPU", fmt::format("{} usable, {}", environment.cpus, environment.cpu_model)},
              {"Memory", WordBytes(environment.memory_bytes)},
              {"Kernel", environment.kernel},
              {"Program", fmt::format("cloud_stress {}", kVersion)}}) +
         "<h3>Command</h3><pre>" + EscapeHtml(environment.command) + "</pre></section>";
}

}  // namespace

std::string ReportHtml(const RunRecord& record, const Verdict& verdict) {
  const std::string title =
      fmt::format("{} load on mqtt://{}", record.scenario.name, record.scenario.target.ToString());
  return "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
         "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"><title>" +
         EscapeHtml(title) + "</title><style>" + kReportStyle + "</style></head><body><main><h1>" +
         EscapeHtml(title) + "</h1><p class=\"soft\">" +
         FormatRfc3339(record.environment.started_ms) + " on " +
         EscapeHtml(record.environment.host) + "</p>\n" + VerdictSection(verdict) + "\n" +
         Tiles(record) + "\n" + LatencySection(record) + "\n" + TimelineSection(record) + "\n" +
         "<div class=\"pairs\">" + LedgerSection(record) + "\n" + ErrorSection(record) +
         "</div>\n" + GeneratorSection(record, verdict) + "\n" + EnvironmentSection(record) +
         "\n</main></body></html>\n";
}

}  // namespace atalaya::stress
