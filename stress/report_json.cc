#include <nlohmann/json.hpp>

#include "base/clock.h"
#include "base/result.h"
#include "base/version.h"
#include "stress/percentiles.h"
#include "stress/report.h"

namespace atalaya::stress {
namespace {

using Json = nlohmann::ordered_json;

Json HistogramJson(const LatencyHistogram& histogram) {
  Json json = {{"count", histogram.count()},
               {"min_ns", histogram.min_ns()},
               {"mean_ns", histogram.MeanNs()}};
  for (const Percentile& percentile : kPercentiles) {
    const std::string key = std::string(percentile.name) + "_ns";
    json[key] = histogram.PercentileNs(percentile.percent);
  }
  return json;
}

Json ObjectivesJson(const std::vector<ObjectiveResult>& results) {
  Json json = Json::array();
  for (const ObjectiveResult& result : results) {
    json.push_back({{"objective", result.objective.text},
                    {"of", result.scope},
                    {"measured", result.measured},
                    {"met", result.met}});
  }
  return json;
}

Json VerdictJson(const Report& report) {
  const Verdict& verdict = report.verdict;
  Json checks = Json::array();
  for (const Check& check : verdict.checks) {
    checks.push_back({{"name", check.name},
                      {"measured", check.measured},
                      {"wanted", check.wanted},
                      {"result", ValidityName(check.result)}});
  }
  return {{"validity", ValidityName(verdict.validity)},
          {"target_failed", verdict.target_failed},
          {"missed", verdict.missed()},
          {"exit_code", report.ExitCode()},
          {"sentence", verdict.sentence},
          {"checks", checks},
          {"objectives", ObjectivesJson(verdict.objectives)},
          {"regressions", verdict.regressions},
          {"notes", verdict.notes}};
}

Json ScenarioJson(const Scenario& scenario) {
  Json flows = Json::array(), phases = Json::array();
  for (const Flow& flow : scenario.flows) {
    flows.push_back({{"name", flow.name},
                     {"publishers", flow.publishers},
                     {"subscribers", flow.subscribers},
                     {"topics", flow.topics},
                     {"idle", flow.idle},
                     {"subscribe", flow.subscribe_all ? "all" : "own"},
                     {"shared", flow.shared},
                     {"persistent", flow.persistent},
                     {"rate_per_s", flow.rate_per_s},
                     {"qos", flow.qos},
                     {"payload_bytes", flow.payload_bytes}});
  }
  for (const Phase& phase : scenario.phases) {
    phases.push_back({{"name", phase.name},
                      {"duration_ns", std::chrono::nanoseconds(phase.duration).count()},
                      {"load", phase.load_from},
                      {"load_to", phase.load_to}});
  }
  constexpr const char* kArrivals[] = {"constant", "poisson", "closed"};
  return {{"name", scenario.name},
          {"target", scenario.target.ToString()},
          {"mqtt", scenario.version == mqtt::Version::k5 ? "5" : "3.1.1"},
          {"arrivals", kArrivals[static_cast<int>(scenario.arrivals)]},
          {"window", scenario.window},
          {"keep_alive_s", scenario.keep_alive.count()},
          {"connect_rate_per_s", scenario.connect_rate_per_s},
          {"reconnect_after_ms", scenario.reconnect_after.count()},
          {"seed", scenario.seed},
          {"flows", flows},
          {"phases", phases}};
}

Json EnvironmentJson(const RunRecord& record) {
  const Environment& environment = record.environment;
  return {{"program", fmt::format("cloud_stress {}", kVersion)},
          {"command", environment.command},
          {"started", FormatRfc3339(environment.started_ms)},
          {"host", environment.host},
          {"kernel", environment.kernel},
          {"cpus", environment.cpus},
          {"cpu_model", environment.cpu_model},
          {"memory_bytes", environment.memory_bytes},
          {"co_located", environment.co_located},
          {"server", record.server},
          {"server_note", record.server_note}};
}

Json LedgerJson(const LedgerFigures& ledger) {
  return {{"sent", ledger.sent},
          {"acknowledged", ledger.acknowledged},
          {"expected", ledger.expected},
          {"received", ledger.received},
          {"lost", ledger.lost()},
          {"lost_in_faults", ledger.lost_in_faults},
          {"lost_unconfirmed", ledger.lost_unconfirmed},
          {"duplicated", ledger.duplicated},
          {"doubled_wrongly", ledger.doubled_wrongly},
          {"reordered", ledger.reordered},
          {"corrupted", ledger.corrupted}};
}

Json ErrorsJson(const RunRecord& record) {
  Json errors = Json::object();
  for (std::size_t i = 0; i < kFailureClasses; ++i) {
    errors[std::string(kFailureNames[i])] = {{"count", record.totals.failures[i]},
                                             {"in_faults", record.totals.fault_failures[i]},
                                             {"example", record.totals.failure_examples[i]}};
  }
  return errors;
}

Json PhasesJson(const RunRecord& record) {
  Json phases = Json::array();
  for (std::size_t i = 0; i < record.totals.phases.size(); ++i) {
    const PhaseFigures& figures = record.totals.phases[i];
    phases.push_back({{"name", record.scenario.phases[i].name},
                      {"sent", figures.sent},
                      {"expected", figures.expected},
                      {"received", figures.received},
                      {"response", HistogramJson(figures.response)},
                      {"service", HistogramJson(figures.service)}});
  }
  return phases;
}

Json AlertsJson(const RunRecord& record) {
  Json alerts = Json::array();
  for (const AlertEvent& alert : record.alerts) {
    alerts.push_back({{"name", alert.name},
                      {"labels", alert.labels},
                      {"from_before", alert.from_before},
                      {"fired_ns", alert.fired_ns},
                      {"resolved_ns", alert.resolved_ns ? Json(*alert.resolved_ns) : Json()}});
  }
  return {{"note", record.alerts_note},
          {"false_alerts", record.FalseAlerts().size()},
          {"events", alerts}};
}

Json FaultsJson(const RunRecord& record) {
  Json faults = Json::array();
  for (const FaultOutcome& fault : record.faults) {
    const auto known = [](std::int64_t ns) { return ns < 0 ? Json() : Json(ns); };
    faults.push_back({{"kind", FaultName(fault.fault.kind)},
                      {"began_ns", fault.began_ns},
                      {"ended_ns", fault.ended_ns},
                      {"detect_ns", known(record.DetectNs(fault))},
                      {"alert", fault.alert ? Json(record.alerts[*fault.alert].name) : Json()},
                      {"recover_ns", known(fault.RecoverNs())},
                      {"note", fault.note}});
  }
  return faults;
}

Json CapacityJson(const CapacityRecord& capacity) {
  Json probes = Json::array();
  for (const Probe& probe : capacity.probes) {
    probes.push_back({{"rate_per_s", probe.rate_per_s},
                      {"delivered_per_s", probe.delivered_per_s},
                      {"p50_ns", probe.p50_ns},
                      {"p99_ns", probe.p99_ns},
                      {"lost", probe.lost},
                      {"failures", probe.failures},
                      {"server_cpu_percent", probe.server_cpu_percent},
                      {"generator_cpu_percent", probe.generator_cpu_percent},
                      {"validity", ValidityName(probe.validity)},
                      {"met", probe.met},
                      {"missed", probe.missed},
                      {"repetition", probe.repetition}});
  }
  return {{"slo", capacity.plan.slo},
          {"capacity_per_s", capacity.capacity_per_s},
          {"at_limit", capacity.at_limit},
          {"limit", capacity.limit},
          {"knee_per_s", capacity.knee_per_s},
          {"sentence", capacity.sentence},
          {"probes", probes}};
}

Json KeyFiguresJson(const KeyFigures& key) {
  return {{"p50_ns", key.p50_ns},
          {"p99_ns", key.p99_ns},
          {"p999_ns", key.p999_ns},
          {"received_per_s", key.received_per_s},
          {"lost", key.lost},
          {"failures", key.failures},
          {"server_cpu_ns", key.server_cpu_ns},
          {"server_memory_bytes", key.server_memory_bytes},
          {"capacity_per_s", key.capacity_per_s}};
}

Json TimelineJson(const RunRecord& record) {
  Json rows = Json::array();
  for (const TimelineRow& row : record.timeline) {
    Json json = {{"from_ns", row.from_ns},
                 {"to_ns", row.to_ns},
                 {"drain", row.drain},
                 {"planned", row.planned},
                 {"planned_deliveries", row.planned_deliveries},
                 {"sent", row.sent},
                 {"received", row.received},
                 {"bytes_out", row.bytes_out},
                 {"bytes_in", row.bytes_in},
                 {"failures", row.failures},
                 {"connections", row.connections},
                 {"p50_ns", row.p50_ns},
                 {"p90_ns", row.p90_ns},
                 {"p99_ns", row.p99_ns},
                 {"max_ns", row.max_ns},
                 {"generator_cpu_ns", row.generator_cpu_ns}};
    json["server_cpu_percent"] = row.server ? Json(row.server->cpu_percent) : Json(nullptr);
    json["server_memory_bytes"] = row.server ? Json(row.server->memory_bytes) : Json(nullptr);
    rows.push_back(std::move(json));
  }
  return rows;
}

Json ComparisonJson(const Comparison& comparison) {
  Json rows = Json::array();
  for (const ComparisonRow& row : comparison.rows) {
    rows.push_back({{"name", row.name},
                    {"before", row.before},
                    {"now", row.now},
                    {"change_percent", row.change_percent},
                    {"worse", row.worse}});
  }
  return {{"command", comparison.command}, {"started", comparison.started}, {"rows", rows}};
}

}  // namespace

std::string ReportJson(const Report& report) {
  const RunRecord& record = report.run;
  const WorkerFigures& totals = record.totals;
  Json json;
  json["schema_version"] = kReportSchemaVersion;
  json["verdict"] = VerdictJson(report);
  json["key_figures"] =
      KeyFiguresJson(KeyFiguresOf(record, report.capacity ? report.capacity->capacity_per_s : 0));
  json["scenario"] = ScenarioJson(record.scenario);
  json["environment"] = EnvironmentJson(record);
  json["run"] = {{"interrupted", record.interrupted}, {"target_lost", record.target_lost},
                 {"planned", record.planned},         {"connect_ns", record.connect_ns},
                 {"load_ns", record.load_ns},         {"drain_ns", record.drain_ns}};
  json["connections"] = {{"wanted", totals.wanted},
                         {"ready", totals.connected},
                         {"reconnected", totals.reconnected},
                         {"connect", HistogramJson(totals.connect)}};
  json["ledger"] = LedgerJson(record.ledger);
  json["ledgers"] = Json::array();
  for (const LedgerFigures& ledger : record.ledgers) json["ledgers"].push_back(LedgerJson(ledger));
  json["latency"] = {{"response", HistogramJson(record.messages.response)},
                     {"service", HistogramJson(record.messages.service)},
                     {"send_lag", HistogramJson(totals.send_lag)}};
  json["phases"] = PhasesJson(record);
  json["errors"] = ErrorsJson(record);
  json["faults"] = FaultsJson(record);
  json["alerts"] = AlertsJson(record);
  json["generator"] = {{"lag", HistogramJson(totals.attend_lag)},
                       {"held_back", totals.held_back},
                       {"refused_publishes", totals.refused_publishes},
                       {"send_calls", totals.send_calls},
                       {"cpu_ns", totals.load_cpu_ns},
                       {"thread_cpu_percent", record.worker_cpu_percent}};
  if (report.capacity) json["capacity"] = CapacityJson(*report.capacity);
  if (report.comparison) json["baseline"] = ComparisonJson(*report.comparison);
  json["timeline"] = TimelineJson(record);
  // Names of hosts and error texts may hold any bytes.
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace atalaya::stress
