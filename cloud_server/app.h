#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/result.h"
#include "base/stop_signal.h"
#include "base/unique_fd.h"
#include "cloud_server/admin_api.h"
#include "cloud_server/config.h"
#include "cloud_server/loop.h"
#include "telemetry/stats_segment.h"

namespace atalaya::cloud_server {

// A whole server. Threads: the one that made it; Run starts one for each loop.
class App {
 public:
  // Locks the data folder, makes the stats segment, listens. kBusy where a port, the folder or the
  // segment is another process's, by name.
  static Result<std::unique_ptr<App>> Create(const Config& config);
  ~App();
  App(const App&) = delete;
  App& operator=(const App&) = delete;

  // Serves until `stop` says so; prints the ready line first. SIGHUP is Reload.
  Status Run(StopSignal& stop);

  // The same, in steps, for tests within the process.
  void Start();
  void Stop();  // Marks the stats segment, drains, ends the threads.
  // Reads the configuration again, with the certificates, keys and passwords that it names, and
  // puts it in force; or keeps all of the old one, with the reason. Connections stay. Counted.
  Status Reload();
  const std::vector<HostPort>& addresses() const { return addresses_; }
  AdminApi* admin() { return admin_.get(); }  // nullptr where it is not configured.
  telemetry::StatsWriter& stats() { return *stats_; }

 private:
  explicit App(const Config& config) : config_(config) {}
  Status Open();
  Status OpenListeners();
  Status OpenJournal(DurableState* state);
  void Restore(DurableState* state);
  Status TryReload();
  Status OpenAdmin();
  Status ReloadAdmin(const AdminConfig& config);
  void Drain(const DrainOrder& order);

  Config config_;
  UniqueFd data_lock_;
  std::unique_ptr<telemetry::StatsWriter> stats_;
  std::vector<HostPort> addresses_;
  Hub hub_;
  std::atomic<std::size_t> undrained_{0};  // Loops that still have clients.
  std::vector<std::thread> threads_;
  std::unique_ptr<AdminApi> admin_;
};

}  // namespace atalaya::cloud_server
