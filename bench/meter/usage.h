#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

namespace atalaya::bench {

// What the measured process has used so far. The meter quits where it cannot be read.
std::int64_t ServerCpuNs(pid_t pid);  // Of all threads that live (/proc/PID/task/*/schedstat).
std::int64_t ServerRssBytes(pid_t pid);

// From its construction to Print: time, and the server's CPU and the meter's own.
class Interval {
 public:
  explicit Interval(pid_t server);

  double seconds() const;

  // Prints one line of JSON: what was counted, what each delivery cost, and `more` (", \"p50_us\":
  // 25.0", or nothing) at its end.
  void Print(std::int64_t published, std::int64_t delivered, const std::string& more = "") const;

 private:
  pid_t server_;
  std::int64_t start_ns_;
  std::int64_t server_cpu_ns_;
  std::int64_t meter_cpu_ns_;
};

}  // namespace atalaya::bench
