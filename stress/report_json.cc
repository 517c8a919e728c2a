#include "stress/report_json.h"

#include <nlohmann/json.hpp>

#include "base/clock.h"
#include "base/version.h"
#include "stress/percentiles.h"

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

Json VerdictJson(const Verdict& verdict) {
  Json checks = Json::array();
  for (const Check& check : verdict.checks) {
    checks.push_back({{"name", check.name},
                      {"measured", check.measured},
                      {"wanted", check.wanted},
                      {"result", ValidityName(check.result)}});
  }
  return {{"validity", ValidityName(verdict.validity)},
          {"target_failed", verdict.target_failed},
          {"exit_code", verdict.ExitCode()},
          {"sentence", verdict.sentence},
          {"checks", checks},
          {"notes", verdict.notes}};
}

Json ScenarioJson(const Scenario& scenario) {
  return {{"name", scenario.name},
          {"target", "mqtt://" + scenario.target.ToString()},
          {"clients", scenario.clients},
          {"rate_per_s", scenario.rate_per_s},
          {"duration_ns", std::chrono::nanoseconds(scenario.duration).count()},
          {"payload_bytes", scenario.payload_bytes},
          {"qos", scenario.qos},
          {"seed", scenario.seed}};
}

Json EnvironmentJson(const RunRecord& record) {
  const Environment& environment = record.environment;
  return {{"program", std::string("cloud_stress ") + kVersion},
          {"command", environment.command},
          {"started", FormatRfc3339(environment.started_ms)},
          {"host", environment.host},
          {"kernel", environment.kernel},
          {"cpu_model", environment.cpu_model},
          {"cpus", environment.cpus},
          {"memory_bytes", environment.memory_bytes},
          {"co_located", environment.co_located},
          {"server", record.server},
          {"server_note", record.server_note}};
}

Json LedgerJson(const RunRecord& record) {
  const LedgerFigures& ledger = record.totals.ledger;
  return {{"planned", record.planned},
          {"sent", ledger.sent},
          {"acknowledged", ledger.acknowledged},
          {"received", ledger.received},
          {"lost", ledger.lost()},
          {"duplicated", ledger.duplicated},
          {"reordered", ledger.reordered},
          {"corrupted", ledger.corrupted}};
}

Json ErrorsJson(const WorkerFigures& totals) {
  Json errors = Json::object();
  for (std::size_t i = 0; i < kFailureClasses; ++i) {
    errors[std::string(kFailureNames[i])] = {{"count", totals.failures[i]},
                                             {"example", totals.failure_examples[i]}};
  }
  return errors;
}

Json TimelineJson(const RunRecord& record) {
  Json rows = Json::array();
  for (const TimelineRow& row : record.timeline) {
    Json json = {{"from_ns", row.from_ns},
                 {"to_ns", row.to_ns},
                 {"drain", row.drain},
                 {"planned", row.planned},
                 {"sent", row.sent},
                 {"received", row.received},
                 {"bytes_out", row.bytes_out},
                 {"bytes_in", row.bytes_in},
                 {"failures", row.failures},
                 {"p50_ns", row.p50_ns},
                 {"p99_ns", row.p99_ns},
                 {"max_ns", row.max_ns},
                 {"generator_cpu_ns", row.generator_cpu_ns}};
    json["server_cpu_percent"] = row.server ? Json(row.server->cpu_percent) : Json(nullptr);
    json["server_memory_bytes"] = row.server ? Json(row.server->memory_bytes) : Json(nullptr);
    rows.push_back(std::move(json));
  }
  return rows;
}

}  // namespace

std::string ReportJson(const RunRecord& record, const Verdict& verdict) {
  const WorkerFigures& totals = record.totals;
  Json json;
  json["schema_version"] = kReportSchemaVersion;
  json["verdict"] = VerdictJson(verdict);
  json["scenario"] = ScenarioJson(record.scenario);
  json["environment"] = EnvironmentJson(record);
  json["run"] = {{"interrupted", record.interrupted},    {"target_lost", record.target_lost},
                 {"connect_ns", record.connect_ns},      {"load_ns", record.load_ns},
                 {"drain_ns", record.drain_ns},          {"connections_wanted", totals.wanted},
                 {"connections_ready", totals.connected}};
  json["ledger"] = LedgerJson(record);
  json["latency"] = {{"response", HistogramJson(totals.response)},
                     {"service", HistogramJson(totals.service)},
                     {"send_lag", HistogramJson(totals.send_lag)}};
  json["errors"] = ErrorsJson(totals);
  json["generator"] = {{"lag", HistogramJson(totals.attend_lag)},
                       {"held_back", totals.held_back},
                       {"cpu_ns", totals.load_cpu_ns},
                       {"thread_cpu_percent", record.worker_cpu_percent}};
  json["timeline"] = TimelineJson(record);
  // Names of hosts and error texts may hold any bytes.
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace atalaya::stress
