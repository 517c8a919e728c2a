#pragma once

#include <cstdint>
#include <numeric>
#include <optional>
#include <string>
#include <vector>

#include "stress/figures.h"
#include "stress/ledger.h"
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
  std::uint64_t planned = 0;  // Messages.
  double planned_deliveries = 0;
  std::uint64_t sent = 0;
  std::uint64_t received = 0;  // Deliveries.
  std::uint64_t bytes_out = 0;
  std::uint64_t bytes_in = 0;
  std::uint64_t failures = 0;
  std::int64_t connections = 0;  // Ready at its end.
  std::int64_t p50_ns = 0;       // Response time of what was received in the row; 0 for nothing.
  std::int64_t p90_ns = 0;
  std::int64_t p99_ns = 0;
  std::int64_t max_ns = 0;
  std::int64_t generator_cpu_ns = 0;  // All worker threads.
  std::optional<ServerPoint> server;  // None where it was not watched, or gone.

  double seconds() const { return static_cast<double>(to_ns - from_ns) / 1e9; }
  double PerSecond(double count) const { return to_ns > from_ns ? count / seconds() : 0; }
  double GeneratorCpuPercent() const {
    return PerSecond(static_cast<double>(generator_cpu_ns) / 1e7);
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

// An alert as alertd's API showed it; times count from the start of the load.
struct AlertEvent {
  std::string name;
  std::string labels;        // Without the name: "instance=..., severity=...".
  bool from_before = false;  // It was firing when the load began.
  std::int64_t fired_ns = 0;
  std::optional<std::int64_t> resolved_ns;  // None: still firing when the run ended.
};

// What a fault did, and what came of it.
struct FaultOutcome {
  Fault fault;
  std::int64_t began_ns = 0;
  std::int64_t ended_ns = 0;                 // When it was taken back.
  std::optional<std::int64_t> recovered_ns;  // Connections and deliveries were as before.
  std::string note;                          // What was done and seen: "pid 812 was killed".
  std::optional<std::size_t> alert;          // Of RunRecord::alerts: the first that it raised.

  std::int64_t RecoverNs() const { return recovered_ns ? *recovered_ns - ended_ns : -1; }
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
  PhaseFigures messages;                   // All phases of `totals`, merged.
  std::vector<LedgerFigures> ledgers;      // By flow ...
  LedgerFigures ledger;                    // ... and added up.
  std::vector<double> worker_cpu_percent;  // While the load ran, by worker.
  std::vector<TimelineRow> timeline;
  std::vector<FaultOutcome> faults;
  std::vector<AlertEvent> alerts;
  std::string alerts_note;  // Why nothing is known of alerts; "" where it is.

  double seconds() const { return static_cast<double>(load_ns) / 1e9; }
  double PerSecond(std::uint64_t count) const {
    return load_ns > 0 ? static_cast<double>(count) / seconds() : 0;
  }
  // Connections that failed outside of faults, by class.
  FailureCounts Failures() const;
  std::uint64_t FailureCount() const;
  bool Raised(const FaultOutcome& fault) const { return fault.alert.has_value(); }
  // How long until the fault's alert fired; -1 where none did.
  std::int64_t DetectNs(const FaultOutcome& fault) const {
    return fault.alert ? alerts[*fault.alert].fired_ns - fault.began_ns : -1;
  }
  // Alerts that fired while no fault was on.
  std::vector<const AlertEvent*> FalseAlerts() const;
};

// How long after a fault's end an alert may still be of its making.
inline constexpr std::int64_t kAlertGraceNs = 15'000'000'000;

}  // namespace atalaya::stress
