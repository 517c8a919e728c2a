#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "stress/objective.h"
#include "stress/run_record.h"
#include "stress/verdict.h"

namespace atalaya::stress {

inline constexpr std::chrono::milliseconds kMaxProbe{600'000};
inline constexpr int kMaxProbes = 60;  // Of one search, repetitions included.

// What a search for the capacity is to find.
struct CapacityPlan {
  std::string slo;  // As it was written.
  std::vector<Objective> objectives;
  std::chrono::milliseconds probe{5'000};
  std::int64_t repetitions = 3;
  double max_rate_per_s = 0;
};

// One rate that was tried.
struct Probe {
  double rate_per_s = 0;
  double delivered_per_s = 0;
  std::int64_t p50_ns = 0;
  std::int64_t p99_ns = 0;
  std::uint64_t lost = 0;
  std::uint64_t failures = 0;
  double server_cpu_percent = -1;    // Mean while the load ran; -1: not known.
  double generator_cpu_percent = 0;  // All threads.
  double busiest_thread_percent = 0;
  Validity validity = Validity::kValid;
  bool met = false;    // Every objective, in a run that is not INVALID.
  std::string missed;  // The first objective that was not met, with what was measured.
  bool repetition = false;
};

struct CapacityRecord {
  CapacityPlan plan;
  std::vector<Probe> probes;  // In the order in which they were made.
  double capacity_per_s = 0;  // Met in each repetition; 0: no rate was.
  bool at_limit = false;      // The highest rate allowed was met.
  bool interrupted = false;
  std::string limit;      // What stands in the way of more.
  double knee_per_s = 0;  // Where latency begins to rise faster than throughput; 0: not seen.
  std::string sentence;
};

// Finds the highest rate that meets the plan in each of its repetitions: doubles it until a run
// fails, halves the gap, then repeats; where a repetition fails it goes a step down. `run` makes
// one run at a rate. `cpus`: of this machine. Fails as `run` does.
using ProbeRun = std::function<Result<RunRecord>(double rate_per_s)>;
Result<CapacityRecord> FindCapacity(const CapacityPlan& plan, double first_rate_per_s, int cpus,
                                    const ProbeRun& run);

// The rate whose point lies farthest under the straight line from the first point to the last in
// the plane of rate and p99, both from 0 to 1 (Kneedle: Satopaa et al., 2011); 0 with fewer than
// four rates.
double FindKnee(const std::vector<Probe>& probes);

}  // namespace atalaya::stress
