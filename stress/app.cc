#include "stress/app.h"

#include <unistd.h>

#include <cstdio>

#include "base/file.h"
#include "stress/environment.h"
#include "stress/wording.h"

namespace atalaya::stress {

App::App(const Options& options, Environment environment)
    : options_(options), environment_(std::move(environment)) {}

Result<App> App::Create(const Options& options, Environment environment) {
  App app(options, std::move(environment));
  const Scenario& scenario = options.scenario;
  app.workers_ = WorkersFor(scenario);
  if (Status possible = Preflight(scenario, app.workers_); !possible) {
    return Forward(possible.error());
  }
  std::int64_t pid = options.server_pid;
  if (!options.start.empty()) {
    auto process = ServerProcess::Start(options.start, scenario.target.address);
    if (!process) return Forward(process.error());
    app.process_ = std::move(*process);
    pid = app.process_->pid();
  } else if (scenario.HasProcessFaults()) {
    auto process = ServerProcess::Adopt(pid);
    if (!process) return Forward(process.error());
    app.process_ = std::move(*process);
  }
  Result<ServerWatch> server = ServerWatch::Find({scenario.target.address, pid});
  if (!server) return Forward(server.error());
  app.server_ = std::make_unique<ServerWatch>(std::move(*server));
  if (!options.alertd.empty()) {
    Result<std::string> token;
    if (!options.alertd_token_file.empty()) token = ReadFile(options.alertd_token_file);
    if (!token) return Fail(token.error().code, "--alertd-token-file: {}", token.error().message);
    token->erase(token->find_last_not_of(" \t\r\n") + 1);
    auto alerts = AlertWatch::Start(options.alertd, *token);
    if (!alerts) return Forward(alerts.error());
    app.alerts_ = std::move(*alerts);
  }
  if (options.metrics_listen) {
    auto metrics = LiveMetrics::Start(*options.metrics_listen);
    if (!metrics) return Forward(metrics.error());
    app.metrics_ = std::move(*metrics);
    fmt::print(stderr, "metrics: http://{}/metrics\n", app.metrics_->address().ToString());
  }
  return Result<App>(std::move(app));
}

Result<Report> App::RunOnce(const Scenario& scenario, StopSignal& stop) {
  Progress progress(scenario, isatty(STDERR_FILENO) != 0);
  RunTools tools;
  tools.server = server_.get();
  tools.progress = &progress;
  tools.stop = &stop;
  tools.process = process_.get();
  tools.alerts = alerts_.get();
  tools.metrics = metrics_.get();
  Result<RunRecord> record = RunScenario(scenario, {}, workers_, tools);
  if (!record) return Forward(record.error());
  record->environment = environment_;
  Report report;
  report.verdict = Judge(*record);
  report.run = std::move(*record);
  return report;
}

Result<Report> App::RunCapacity(StopSignal& stop) {
  Report report;
  const double first_rate = options_.scenario.rate_per_s();
  const auto run = [&](double rate_per_s) -> Result<RunRecord> {
    Scenario scenario = options_.scenario;
    for (Flow& flow : scenario.flows) flow.rate_per_s *= rate_per_s / first_rate;
    scenario.phases = {Phase{"load", options_.capacity.probe, 1, 1, {}}};
    scenario.faults.clear();
    fmt::print(stderr, "trying {} messages per second\n", WordNumber(rate_per_s));
    Result<Report> once = RunOnce(scenario, stop);
    if (!once) return Forward(once.error());
    report.verdict = std::move(once->verdict);
    report.run = std::move(once->run);
    return report.run;
  };
  Result<CapacityRecord> capacity =
      FindCapacity(options_.capacity, first_rate, environment_.cpus, run);
  if (!capacity) return Forward(capacity.error());
  report.capacity = std::move(*capacity);
  return report;
}

Status App::Compare(Report* report) const {
  if (options_.baseline.empty()) return {};
  const Result<Baseline> baseline = ReadBaseline(options_.baseline);
  if (!baseline) return Forward(baseline.error());
  const double capacity = report->capacity ? report->capacity->capacity_per_s : 0;
  report->comparison = stress::Compare(*baseline, KeyFiguresOf(report->run, capacity));
  for (const ComparisonRow& row : report->comparison->rows) {
    if (!row.worse) continue;
    report->verdict.regressions.push_back(fmt::format(
        "Worse than the baseline: {}: {} before, {} now", row.name, row.before, row.now));
  }
  return {};
}

void App::Print(const Report& report) const {
  const Verdict& verdict = report.verdict;
  if (report.capacity) fmt::print("{}\n", report.capacity->sentence);
  fmt::print("{}{}: {}\n", ValidityName(verdict.validity),
             verdict.target_failed ? ", target failed" : "", verdict.sentence);
  for (const Check& check : verdict.checks) {
    if (check.result == Validity::kValid) continue;
    fmt::print("{}: {}: {}; wanted {}\n", ValidityName(check.result), check.name, check.measured,
               check.wanted);
  }
  for (const ObjectiveResult& result : verdict.objectives) {
    fmt::print("{}: {}{}: {}\n", result.met ? "met" : "MISSED", result.objective.text,
               result.scope.empty() ? "" : " in " + result.scope, result.measured);
  }
  for (const std::string& regression : verdict.regressions) fmt::print("{}\n", regression);
}

Status App::Write(const Report& report) const {
  const auto write = [](const char* what, const std::string& path, const auto& content) -> Status {
    if (path.empty()) return {};
    if (Status written = WriteFileAtomic(path, content()); !written) return written;
    fmt::print("{}: {}\n", what, path);
    return {};
  };
  if (Status done = write("report", options_.report, [&] { return ReportHtml(report); }); !done) {
    return done;
  }
  if (Status done = write("data", options_.json, [&] { return ReportJson(report); }); !done) {
    return done;
  }
  return write("timeline", options_.csv, [&] { return ReportCsv(report.run); });
}

Result<int> App::Run(StopSignal& stop) {
  const bool capacity = options_.command == CommandWord::kCapacity;
  Result<Report> report = capacity ? RunCapacity(stop) : RunOnce(options_.scenario, stop);
  if (!report) return Forward(report.error());
  if (Status compared = Compare(&*report); !compared) return Forward(compared.error());
  Print(*report);
  const Status written = Write(*report);
  std::fflush(stdout);
  if (!written) return Forward(written.error());
  return report->ExitCode();
}

}  // namespace atalaya::stress
