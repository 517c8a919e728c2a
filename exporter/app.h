#pragma once

#include <memory>

#include "base/http_server.h"
#include "base/stop_signal.h"
#include "exporter/gatherer.h"
#include "exporter/options.h"
#include "exporter/pages.h"
#include "exporter/self_metrics.h"

namespace atalaya::exporter {

// The whole program: collectors behind an HTTP server.
class App {
 public:
  // Opens the sockets. kInvalid on a bad pattern, kBusy where a port is taken.
  static Result<std::unique_ptr<App>> Create(const Options& options);

  // Says that it serves, and serves until a signal ends it. SIGHUP is ignored: there is no file to
  // read again.
  void Run(StopSignal& stop);

 private:
  App(const Options& options, std::vector<NamedCollector> collectors);

  SelfMetrics self_;
  Gatherer gatherer_;
  Pages pages_;
  std::unique_ptr<HttpServer> server_;
};

}  // namespace atalaya::exporter
