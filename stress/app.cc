#include "stress/app.h"

#include <unistd.h>

#include <cstdio>

#include "base/file.h"
#include "stress/environment.h"
#include "stress/progress.h"
#include "stress/report_html.h"
#include "stress/report_json.h"
#include "stress/run.h"
#include "stress/verdict.h"

namespace atalaya::stress {

Result<App> App::Create(const Options& options, Environment environment) {
  const std::size_t workers = WorkersFor(options.scenario);
  if (Status possible = Preflight(options.scenario, workers); !possible) {
    return Forward(possible.error());
  }
  Result<ServerWatch> server = ServerWatch::Find(options.server);
  if (!server) return Forward(server.error());
  return App(options, std::move(environment), workers, std::move(*server));
}

App::App(const Options& options, Environment environment, std::size_t workers, ServerWatch server)
    : options_(options),
      environment_(std::move(environment)),
      workers_(workers),
      server_(std::move(server)) {}

Result<int> App::Run(StopSignal& stop) {
  Progress progress(options_.scenario, isatty(STDERR_FILENO) != 0);
  Result<RunRecord> record =
      RunScenario(options_.scenario, {}, workers_, &server_, &progress, &stop);
  if (!record) return Forward(record.error());
  record->environment = environment_;
  const Verdict verdict = Judge(*record);
  fmt::print("{}{}: {}\n", ValidityName(verdict.validity),
             verdict.target_failed ? ", target failed" : "", verdict.sentence);
  for (const Check& check : verdict.checks) {
    if (check.result == Validity::kValid) continue;
    fmt::print("{}: {}: {}; wanted {}\n", ValidityName(check.result), check.name, check.measured,
               check.wanted);
  }
  if (!options_.report.empty()) {
    if (Status written = WriteFileAtomic(options_.report, ReportHtml(*record, verdict)); !written) {
      return Forward(written.error());
    }
    fmt::print("report: {}\n", options_.report);
  }
  if (!options_.json.empty()) {
    if (Status written = WriteFileAtomic(options_.json, ReportJson(*record, verdict)); !written) {
      return Forward(written.error());
    }
    fmt::print("data: {}\n", options_.json);
  }
  std::fflush(stdout);
  return verdict.ExitCode();
}

}  // namespace atalaya::stress
