#pragma once

#include <memory>

#include "base/result.h"
#include "base/stop_signal.h"
#include "stress/options.h"
#include "stress/report.h"
#include "stress/run.h"

namespace atalaya::stress {

// One command from preflight to written reports.
class App {
 public:
  // Makes sure that the run is possible here, starts the server where it is asked to, finds its
  // process, and asks for alerts. kLimit, kNotFound or kIo say what is missing. Nothing has been
  // sent yet.
  static Result<App> Create(const Options& options, Environment environment);

  // Runs, writes the reports and prints the verdict on stdout. Returns the exit code that the
  // verdict stands for. kIo where a report cannot be written. Blocks for the run.
  Result<int> Run(StopSignal& stop);

 private:
  App(const Options& options, Environment environment);

  Result<Report> RunOnce(const Scenario& scenario, StopSignal& stop);
  Result<Report> RunCapacity(StopSignal& stop);
  Status Compare(Report* report) const;
  void Print(const Report& report) const;
  Status Write(const Report& report) const;

  Options options_;
  Environment environment_;
  std::size_t workers_ = 1;
  std::unique_ptr<ServerProcess> process_;
  std::unique_ptr<ServerWatch> server_;
  std::unique_ptr<AlertWatch> alerts_;
  std::unique_ptr<LiveMetrics> metrics_;
};

}  // namespace atalaya::stress
