#pragma once

#include <memory>

#include "base/stop_signal.h"
#include "exporter/gatherer.h"
#include "exporter/options.h"
#include "exporter/page_server.h"
#include "exporter/pages.h"
#include "exporter/self_metrics.h"

namespace atalaya::exporter {

// The whole program: collectors behind an HTTP server.
class App {
 public:
  // Opens the sockets. kInvalid on a bad pattern, kBusy where a port is taken.
  static Result<std::unique_ptr<App>> Create(const Options& options);

  // The same with collectors of the caller's own, for tests.
  static Result<std::unique_ptr<App>> Create(const Options& options,
                                             std::vector<NamedCollector> collectors,
                                             const GatherOptions& gathering);
  ~App();  // Does not wait for a collector that hangs.

  // Says that it serves, and serves until a signal ends it. SIGHUP is ignored: the configuration
  // is read at the start only.
  void Run(StopSignal& stop);

  const std::vector<HostPort>& addresses() const;

 private:
  // What threads that were left behind may still look at.
  struct Front;
  explicit App(std::shared_ptr<Front> front) : front_(std::move(front)) {}
  std::shared_ptr<Front> front_;
};

}  // namespace atalaya::exporter
