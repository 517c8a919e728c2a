#include <fmt/format.h>

#include "base/clock.h"
#include "base/html_text.h"
#include "base/result.h"
#include "base/version.h"
#include "stress/html_parts.h"
#include "stress/report_sections.h"
#include "stress/wording.h"

namespace atalaya::stress {
namespace {

std::string VersionName(mqtt::Version version) {
  return version == mqtt::Version::k5 ? "MQTT 5.0" : "MQTT 3.1.1";
}

}  // namespace

std::string GeneratorSection(const Report& report) {
  const RunRecord& record = report.run;
  std::vector<Cells> rows;
  for (const Check& check : report.verdict.checks) {
    rows.push_back(
        {check.name, check.measured, check.wanted, std::string(ValidityName(check.result))});
  }
  std::string html = WordTable({"Check", "Measured", "Wanted", "Result"}, rows);
  const std::uint64_t sent = record.ledger.sent;
  const std::uint64_t calls = record.totals.send_calls;
  std::string threads;
  for (const double percent : record.worker_cpu_percent) {
    threads += (threads.empty() ? "" : ", ") + WordPercent(percent);
  }
  html += FactTable(
      {{"CPU by thread", threads},
       {"CPU for each message",
        sent == 0 ? ""
                  : WordLatency(record.totals.load_cpu_ns / static_cast<std::int64_t>(sent)) +
                        ", sending and receiving"},
       {"Messages for each send call",
        calls == 0 ? "" : WordNumber(static_cast<double>(sent) / static_cast<double>(calls))},
       {"Send lag", sent == 0 ? ""
                              : fmt::format("p50 {}, p99 {}, at most {}",
                                            WordLatency(record.totals.send_lag.PercentileNs(50)),
                                            WordLatency(record.totals.send_lag.PercentileNs(99)),
                                            WordLatency(record.totals.send_lag.max_ns()))}});
  return Section("Can these figures be believed?", html);
}

std::string EnvironmentSection(const RunRecord& record) {
  const Environment& environment = record.environment;
  const Scenario& scenario = record.scenario;
  std::string html =
      FactTable({{"Target", scenario.target.ToString()},
                 {"Server", record.server.empty() ? record.server_note : record.server},
                 {"Scenario", scenario.name + (scenario.description.empty() ? "" : ": ") +
                                  scenario.description},
                 {"Load", DescribeLoad(scenario)},
                 {"Arrivals", scenario.arrivals == Arrivals::kPoisson  ? "open, Poisson"
                              : scenario.arrivals == Arrivals::kClosed ? "closed"
                                                                       : "open, evenly spaced"},
                 {"Protocol", fmt::format("{}, keep alive {} s", VersionName(scenario.version),
                                          scenario.keep_alive.count())},
                 {"Started", FormatRfc3339(environment.started_ms)},
                 {"Machine", environment.host},
                 {"CPU", fmt::format("{} usable, {}", environment.cpus, environment.cpu_model)},
                 {"Memory", WordBytes(environment.memory_bytes)},
                 {"Kernel", environment.kernel},
                 {"Program", fmt::format("cloud_stress {}", kVersion)}});
  return Section("Environment",
                 html + "<h3>Command</h3><pre>" + EscapeHtml(environment.command) + "</pre>");
}

std::string DataSection(const Report& report) {
  return Section("Raw data",
                 Details("All of this as JSON",
                         "<pre class=\"data\">" + EscapeHtml(ReportJson(report)) + "</pre>"));
}

}  // namespace atalaya::stress
