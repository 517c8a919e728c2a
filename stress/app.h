#pragma once

#include "base/result.h"
#include "base/stop_signal.h"
#include "stress/options.h"
#include "stress/run_record.h"
#include "stress/server_watch.h"

namespace atalaya::stress {

// One run from preflight to written reports.
class App {
 public:
  // Makes sure that the run is possible here and finds the server's process. kLimit or kNotFound
  // say what is missing. Nothing has been sent yet.
  static Result<App> Create(const Options& options, Environment environment);

  // Runs, writes the reports and prints the verdict on stdout. Returns the exit code that the
  // verdict stands for. kIo where a report cannot be written. Blocks for the run.
  Result<int> Run(StopSignal& stop);

 private:
  App(const Options& options, Environment environment, std::size_t workers, ServerWatch server);

  Options options_;
  Environment environment_;
  std::size_t workers_;
  ServerWatch server_;
};

}  // namespace atalaya::stress
