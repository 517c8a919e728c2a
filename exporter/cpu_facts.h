#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "exporter/collector.h"
#include "exporter/kernel_file.h"

namespace atalaya::exporter {

// What sysfs and /proc/cpuinfo say of CPUs besides their times: throttling, isolation and, where
// asked for, make and flags.
// Threads: one at a time.
class CpuFacts {
 public:
  // kInvalid on a bad pattern of flags or bugs.
  static Result<CpuFacts> Create(const CollectorOptions& options);

  void Write(telemetry::TextWriter& out);

 private:
  explicit CpuFacts(const CollectorOptions& options);
  void FindThrottles();
  void WriteThrottles(telemetry::TextWriter& out);
  void WriteInfo(telemetry::TextWriter& out) const;
  void WriteIsolated(telemetry::TextWriter& out) const;

  struct Throttle {
    std::string labels;
    KernelFile count;
  };

  std::filesystem::path folder_;
  std::filesystem::path cpuinfo_;
  bool info_;
  NameFilter flags_;
  NameFilter bugs_;
  std::shared_ptr<ScrapeContext> context_;
  std::uint64_t generation_ = 0;
  std::string isolated_;
  std::vector<Throttle> cores_;
  std::vector<Throttle> packages_;
};

}  // namespace atalaya::exporter
