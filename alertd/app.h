#pragma once

#include <memory>
#include <string>
#include <vector>

#include "alertd/config.h"
#include "base/result.h"
#include "base/stop_signal.h"

namespace atalaya::alertd {

// The whole program: collecting, rules, notices and API, each on threads of its own.
class App {
 public:
  // Opens the files under `config.storage.dir` (made where it is missing) and the HTTP port, then
  // starts the parts. `config_files` are read again on SIGHUP. kBusy names who holds the port; kIo,
  // kVersion or kInvalid name the file.
  static Result<std::unique_ptr<App>> Create(std::vector<std::string> config_files, Config config);
  ~App();  // Stops collecting first, so that nothing is taken for an outage.
  App(const App&) = delete;
  App& operator=(const App&) = delete;

  // Prints the ready line; serves until SIGTERM or SIGINT. SIGHUP takes over the new configuration
  // whole, or keeps the old one and says why. Fails where a part cannot go on.
  Status Run(StopSignal& stop);

 private:
  struct Impl;
  explicit App(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace atalaya::alertd
