#include <fmt/format.h>

#include <algorithm>

#include "base/clock.h"
#include "base/html_text.h"
#include "stress/html_parts.h"
#include "stress/report.h"
#include "stress/report_sections.h"
#include "stress/report_style.h"
#include "stress/wording.h"

namespace atalaya::stress {
namespace {

std::string Badge(std::string_view tone, std::string_view words) {
  return fmt::format("<span class=\"badge {}\">{}</span>", tone, words);
}

// A list item with an outcome's colour.
std::string Reason(std::string_view tone, const std::string& text) {
  return fmt::format("<li class=\"reason {}\">{}</li>", tone, EscapeHtml(text));
}

std::string VerdictSection(const Report& report) {
  const Verdict& verdict = report.verdict;
  const std::string name(ValidityName(verdict.validity));
  const bool missed = verdict.missed();
  const std::string tone = verdict.target_failed ? "failed" : missed ? "missed" : Lower(name);
  std::string html = fmt::format("<section class=\"verdict {}\">", tone) + Badge(Lower(name), name);
  if (verdict.target_failed) html += Badge("failed", "TARGET FAILED");
  if (!verdict.objectives.empty() || report.comparison) {
    html += missed ? Badge("missed", "OBJECTIVE MISSED") : Badge("valid", "OBJECTIVES MET");
  }
  if (report.capacity) {
    html += fmt::format("<p class=\"sentence\">{}</p>", EscapeHtml(report.capacity->sentence));
  }
  html += fmt::format("<p class=\"{}\">{}{}.</p>", report.capacity ? "soft" : "sentence",
                      report.capacity ? "The last run: " : "", EscapeHtml(verdict.sentence));
  std::string items;
  for (const Check& check : verdict.checks) {
    if (check.result == Validity::kValid) continue;
    const std::string result(ValidityName(check.result));
    items += Reason(Lower(result), fmt::format("{}: {}: {} (wanted: {})", result, check.name,
                                               check.measured, check.wanted));
  }
  for (const ObjectiveResult& result : verdict.objectives) {
    if (result.met) continue;
    items += Reason(
        "missed", fmt::format("Missed: {}{}: {}", result.objective.text,
                              result.scope.empty() ? "" : " in " + result.scope, result.measured));
  }
  for (const std::string& regression : verdict.regressions) items += Reason("missed", regression);
  for (const std::string& note : verdict.notes) items += "<li>" + EscapeHtml(note) + "</li>";
  if (!items.empty()) html += "<ul>" + items + "</ul>";
  return html + "</section>\n";
}

std::string Tiles(const Report& report) {
  const RunRecord& record = report.run;
  double cpu = -1;
  std::uint64_t memory = 0;
  for (const TimelineRow& row : record.timeline) {
    if (!row.server || row.drain) continue;
    cpu = std::max(cpu, row.server->cpu_percent);
    memory = std::max(memory, row.server->memory_bytes);
  }
  std::string html = "<div class=\"tiles\">";
  const auto tile = [&html](const std::string& value, std::string_view name) {
    html +=
        fmt::format("<div class=\"tile\"><b>{}</b><span>{}</span></div>", EscapeHtml(value), name);
  };
  if (report.capacity) {
    tile(report.capacity->capacity_per_s > 0 ? WordNumber(report.capacity->capacity_per_s) : "-",
         "capacity, messages per second");
  }
  const LatencyHistogram& response = record.messages.response;
  if (record.planned > 0) {
    tile(WordNumber(record.PerSecond(record.ledger.sent)), "messages sent per second");
    tile(response.count() > 0 ? WordLatency(response.PercentileNs(50)) : "-", "response time, p50");
    tile(response.count() > 0 ? WordLatency(response.PercentileNs(99)) : "-", "response time, p99");
    tile(WordCount(record.ledger.lost()), "deliveries lost");
  } else {
    tile(WordCount(record.totals.connected), "connections ready");
    tile(WordLatency(record.totals.connect.PercentileNs(99)), "to connect, p99");
  }
  tile(WordCount(record.FailureCount()), "connections failed");
  tile(cpu < 0 ? "-" : WordPercent(cpu), "server CPU, highest second");
  tile(cpu < 0 ? "-" : WordBytes(memory), "server memory, highest");
  return html + "</div>\n";
}

}  // namespace

std::string ReportHtml(const Report& report) {
  const RunRecord& record = report.run;
  const std::string title = fmt::format("{}{} on {}", report.capacity ? "Capacity, " : "",
                                        record.scenario.name, record.scenario.target.ToString());
  return "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
         "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"><title>" +
         EscapeHtml(title) + "</title><style>" + kReportStyle + "</style></head><body><main><h1>" +
         EscapeHtml(title) + "</h1><p class=\"soft\">" +
         FormatRfc3339(record.environment.started_ms) + " on " +
         EscapeHtml(record.environment.host) + "</p>\n" + VerdictSection(report) + Tiles(report) +
         ObjectivesSection(report) + CapacitySection(report) + TimelineSection(record) +
         FaultsSection(record) + PhasesSection(record) + LatencySection(record) +
         "<div class=\"pairs\">" + LedgerSection(record) + ConnectionsSection(record) +
         ServerSection(record) + ComparisonSection(report) + "</div>\n" + GeneratorSection(report) +
         EnvironmentSection(record) + DataSection(report) + "</main></body></html>\n";
}

}  // namespace atalaya::stress
