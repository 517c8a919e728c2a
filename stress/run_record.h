#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "stress/figures.h"
#include "stress/scenario.h"

namespace atalaya::stress {

// The server's process, as /proc showed it over one interval.
struct ServerPoint {
  double cpu_percent = 0;          // Of one CPU: 150 is one and a half.
  std::uint64_t memory_bytes = 0;  // Resident.
};

// One second of the run; the last row is the drain.
struct TimelineRow {
  std::int64_t from_ns = 0;  // From the start of the load.
  std::int64_t to_ns = 0;
  bool drain = false;
  std::uint64_t planned = 0;
  std::uint64_t sent = 0;
  std::uint64_t received = 0;
  std::uint64_t bytes_out = 0;
  std::uint64_t bytes_in = 0;
  std::uint64_t failures = 0;
  std::int64_t p50_ns = 0;  // Response time of what was received in the row; 0 where nothing was.
  std::int64_t p99_ns = 0;
  std::int64_t max_ns = 0;
  std::int64_t generator_cpu_ns = 0;  // All worker threads.
  std::optional<ServerPoint> server;  // None where it was not watched, or gone.

  double seconds() const { return static_cast<double>(to_ns - from_ns) / 1e9; }
  double PerSecond(std::uint64_t count) const {
    return to_ns > from_ns ? static_cast<double>(count) / seconds() : 0;
  }
  double GeneratorCpuPercent() const {
    return to_ns > from_ns
               ? 100 * static_cast<double>(generator_cpu_ns) / static_cast<double>(to_ns - from_ns)
               : 0;
  }
};

struct Environment {
  std::string host;
  std::string kernel;
  std::string cpu_model;
  int cpus = 0;  // That this process may use.
  std::uint64_t memory_bytes = 0;
  std::string command;
  std::int64_t started_ms = 0;  // UTC.
  bool co_located = false;      // The target is on this machine and shares its CPUs.
};

// Everything that one run found out.
struct RunRecord {
  Scenario scenario;
  Environment environment;
  std::string server;           // "cloud_server (pid 812)"; "" where it is not known.
  std::string server_note;      // Why there are no server figures; "" where there are.
  std::uint64_t planned = 0;    // Messages due until the end, or the interruption.
  std::int64_t connect_ns = 0;  // How long connecting took.
  std::int64_t load_ns = 0;     // How long the load ran.
  std::int64_t drain_ns = 0;
  bool interrupted = false;  // By a signal.
  bool target_lost = false;  // Every publisher was lost before the end.
  WorkerFigures totals;
  std::vector<double> worker_cpu_percent;  // While the load ran, by worker.
  std::vector<TimelineRow> timeline;
};

}  // namespace atalaya::stress
