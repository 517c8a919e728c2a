#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "stress/run_record.h"

namespace atalaya::stress {

// The figures by which runs are compared; -1 where one is not known.
struct KeyFigures {
  double p50_ns = -1, p99_ns = -1, p999_ns = -1;
  double received_per_s = -1;
  double lost = -1, failures = -1;
  double server_cpu_ns = -1;  // For each delivery.
  double server_memory_bytes = -1;
  double capacity_per_s = -1;
};
KeyFigures KeyFiguresOf(const RunRecord& record, double capacity_per_s);

// From the JSON report that `path` holds. kNotFound, kIo, or kInvalid where it is no such report.
struct Baseline {
  KeyFigures figures;
  std::string command, started;
};
Result<Baseline> ReadBaseline(const std::string& path);

struct ComparisonRow {
  std::string name;
  std::string before, now;  // In words.
  double change_percent = 0;
  bool worse = false;
};

struct Comparison {
  std::string command, started;  // Of the earlier run.
  std::vector<ComparisonRow> rows;
};

// A figure is worse by more than this, or it is as good: noise.
inline constexpr double kWorsePercent = 10;

Comparison Compare(const Baseline& before, const KeyFigures& now);

}  // namespace atalaya::stress
