#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "base/html_text.h"
#include "stress/html_parts.h"
#include "stress/report_sections.h"
#include "stress/wording.h"

namespace atalaya::stress {
namespace {

std::string AfterStart(std::int64_t ns) {
  return fmt::format("{:.1f} s", static_cast<double>(ns) / 1e9);
}

std::string LongOr(std::int64_t ns, const char* otherwise) {
  return ns < 0 ? std::string(otherwise) : AfterStart(ns);
}

std::string AlertsTable(const RunRecord& record) {
  if (!record.alerts_note.empty()) {
    return "<p class=\"soft\">" + EscapeHtml(record.alerts_note) + ".</p>";
  }
  const std::vector<const AlertEvent*> wrong = record.FalseAlerts();
  std::vector<Cells> rows;
  for (const AlertEvent& alert : record.alerts) {
    const bool false_alert = std::find(wrong.begin(), wrong.end(), &alert) != wrong.end();
    rows.push_back({alert.name, alert.labels,
                    alert.from_before ? "before the load" : "at " + AfterStart(alert.fired_ns),
                    alert.resolved_ns ? "at " + AfterStart(*alert.resolved_ns) : "not in this run",
                    false_alert         ? "false: no fault was on"
                    : alert.from_before ? ""
                                        : "by a fault"});
  }
  const std::string count =
      fmt::format("<p>{} in the steady state: {}.</p>", "False alerts", wrong.size());
  if (rows.empty()) return count + "<p class=\"soft\">No alert fired.</p>";
  return count + WordTable({"Alert", "Labels", "Fired", "Resolved", ""}, rows);
}

double MeanServerCpu(const RunRecord& record) {
  double sum = 0;
  int rows = 0;
  for (const TimelineRow& row : record.timeline) {
    if (row.drain || !row.server) continue;
    sum += row.server->cpu_percent;
    ++rows;
  }
  return rows == 0 ? -1 : sum / rows;
}

}  // namespace

std::string FaultsSection(const RunRecord& record) {
  if (record.faults.empty() && record.alerts.empty()) return "";
  std::vector<Cells> rows;
  for (const FaultOutcome& fault : record.faults) {
    const bool came = fault.ended_ns > 0;
    const std::string alert = !came ? "-"
                              : fault.alert
                                  ? fmt::format("{} after {}", record.alerts[*fault.alert].name,
                                                AfterStart(record.DetectNs(fault)))
                              : record.alerts_note.empty() ? "none"
                                                           : "not asked";
    rows.push_back(
        {std::string(FaultName(fault.fault.kind)),
         came ? fmt::format("{} to {}", AfterStart(fault.began_ns), AfterStart(fault.ended_ns))
              : "-",
         alert, came ? LongOr(fault.RecoverNs(), "not in this run") : "-", fault.note});
  }
  std::string html;
  if (!rows.empty()) {
    html +=
        WordTable({"Fault", "From, to", "Alert", "Recovered after its end", "What was done"}, rows);
    html +=
        "<p class=\"soft\">Recovered: every connection is back and nine of ten planned "
        "deliveries arrive in a second; to the second. Alerts are asked for ten times a "
        "second.</p>";
  }
  return Section("Faults and alerts", html + "<h3>Alerts</h3>" + AlertsTable(record));
}

std::string LedgerSection(const RunRecord& record) {
  Cells head = {"Deliveries"};
  std::vector<const LedgerFigures*> columns;
  if (record.ledgers.size() > 1) {
    for (std::size_t i = 0; i < record.ledgers.size(); ++i) {
      head.push_back(record.scenario.flows[i].name);
      columns.push_back(&record.ledgers[i]);
    }
  }
  head.emplace_back(columns.empty() ? "" : "All");
  columns.push_back(&record.ledger);
  std::vector<Cells> rows;
  const auto row = [&](const char* name, auto figure) {
    Cells cells = {name};
    for (const LedgerFigures* column : columns) cells.push_back(WordCount(figure(*column)));
    rows.push_back(std::move(cells));
  };
  using Ledger = const LedgerFigures&;
  row("Messages sent", [](Ledger ledger) { return ledger.sent; });
  if (record.scenario.qos() > 0) {
    row("Messages acknowledged", [](Ledger ledger) { return ledger.acknowledged; });
  }
  row("Expected", [](Ledger ledger) { return ledger.expected; });
  row("Received", [](Ledger ledger) { return ledger.received; });
  row("Lost", [](Ledger ledger) { return ledger.lost(); });
  row("Missing around faults", [](Ledger ledger) { return ledger.lost_in_faults; });
  if (record.scenario.qos() > 0) {
    row("Missing, never acknowledged", [](Ledger ledger) { return ledger.lost_unconfirmed; });
  }
  row("Duplicated", [](Ledger ledger) { return ledger.duplicated; });
  row("of these against the QoS", [](Ledger ledger) { return ledger.doubled_wrongly; });
  row("Reordered", [](Ledger ledger) { return ledger.reordered; });
  row("Corrupted", [](Ledger ledger) { return ledger.corrupted; });
  std::string html = FigureTable("", head, rows);
  html +=
      "<p class=\"soft\">One bit for every message and listener: the counts are exact. At QoS 1 a "
      "server may deliver a message twice.</p>";
  return Section("Ledger", html);
}

std::string ConnectionsSection(const RunRecord& record) {
  std::string html =
      fmt::format("<p>{} of {} connections were ready after {}", WordCount(record.totals.connected),
                  WordCount(record.totals.wanted), WordSeconds(record.connect_ns));
  const LatencyHistogram& connect = record.totals.connect;
  if (connect.count() > 0) {
    html +=
        fmt::format("; each took p50 {}, p99 {}, at most {}", WordLatency(connect.PercentileNs(50)),
                    WordLatency(connect.PercentileNs(99)), WordLatency(connect.max_ns()));
  }
  if (record.totals.reconnected > 0) {
    html += fmt::format("; {} came back later", WordCount(record.totals.reconnected));
  }
  html += ".</p>";
  std::vector<Cells> rows;
  for (std::size_t i = 0; i < kFailureClasses; ++i) {
    rows.push_back({std::string(kFailureNames[i]), WordCount(record.Failures()[i]),
                    WordCount(record.totals.fault_failures[i]), record.totals.failure_examples[i]});
  }
  return Section(
      "Connections and errors",
      html + WordTable({"Class", "Failed", "While a fault was on", "For example"}, rows));
}

std::string ServerSection(const RunRecord& record) {
  const double mean = MeanServerCpu(record);
  if (mean < 0) return "";
  double highest = 0;
  std::uint64_t first = 0, most = 0, last = 0;
  for (const TimelineRow& row : record.timeline) {
    if (!row.server) continue;
    if (!row.drain) highest = std::max(highest, row.server->cpu_percent);
    if (first == 0) first = row.server->memory_bytes;
    most = std::max(most, row.server->memory_bytes);
    last = row.server->memory_bytes;
  }
  const KeyFigures key = KeyFiguresOf(record, 0);
  const double generator =
      std::accumulate(record.worker_cpu_percent.begin(), record.worker_cpu_percent.end(), 0.0);
  std::string html = FactTable(
      {{"Process", record.server},
       {"CPU", fmt::format("{} on average, {} in its highest second, of {} %", WordPercent(mean),
                           WordPercent(highest), 100 * record.environment.cpus)},
       {"CPU for each delivery",
        key.server_cpu_ns < 0 ? "" : WordLatency(static_cast<std::int64_t>(key.server_cpu_ns))},
       {"Memory", fmt::format("{} in the first second, {} at most, {} in the end", WordBytes(first),
                              WordBytes(most), WordBytes(last))},
       {"Beside it", fmt::format("the generator used {} of CPU", WordPercent(generator))}});
  return Section("The server", html);
}

std::string ComparisonSection(const Report& report) {
  if (!report.comparison) return "";
  std::vector<Cells> rows;
  for (const ComparisonRow& row : report.comparison->rows) {
    rows.push_back({row.name, row.before, row.now, fmt::format("{:+.1f} %", row.change_percent),
                    row.worse ? "WORSE" : "as good"});
  }
  return Section("Beside the baseline",
                 fmt::format("<p class=\"soft\">Baseline: {}, <code>{}</code>. Worse: by more than "
                             "{:.0f} %; of losses and failures, by one.</p>",
                             EscapeHtml(report.comparison->started),
                             EscapeHtml(report.comparison->command), kWorsePercent) +
                     WordTable({"Figure", "Before", "Now", "Change", "Result"}, rows));
}

}  // namespace atalaya::stress
