#include "bench/meter/usage.h"

#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/clock.h"
#include "bench/meter/quit.h"

namespace atalaya::bench {
namespace {

std::int64_t MeterCpuNs() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const std::int64_t seconds = usage.ru_utime.tv_sec + usage.ru_stime.tv_sec;
  const std::int64_t microseconds = usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
  return seconds * 1'000'000'000 + microseconds * 1'000;
}

}  // namespace

std::int64_t ServerCpuNs(pid_t pid) {
  std::int64_t total_ns = 0;
  std::error_code error;
  for (const auto& task :
       std::filesystem::directory_iterator(fmt::format("/proc/{}/task", pid), error)) {
    std::ifstream file(task.path() / "schedstat");
    std::int64_t task_ns = 0;
    if (file >> task_ns) total_ns += task_ns;  // A thread that ended meanwhile has none.
  }
  if (total_ns == 0) Quit("the CPU time of process {} cannot be read", pid);
  return total_ns;
}

std::int64_t ServerRssBytes(pid_t pid) {
  std::ifstream file(fmt::format("/proc/{}/statm", pid));
  std::int64_t size = 0;
  std::int64_t resident = 0;
  if (!(file >> size >> resident)) Quit("the memory of process {} cannot be read", pid);
  return resident * sysconf(_SC_PAGESIZE);
}

Interval::Interval(pid_t server)
    : server_(server),
      start_ns_(SystemClock().SteadyNs()),
      server_cpu_ns_(ServerCpuNs(server)),
      meter_cpu_ns_(MeterCpuNs()) {}

double Interval::seconds() const {
  return static_cast<double>(SystemClock().SteadyNs() - start_ns_) / 1e9;
}

void Interval::Print(std::int64_t published, std::int64_t delivered,
                     const std::string& more) const {
  const double took_s = seconds();
  const auto server_ns = static_cast<double>(ServerCpuNs(server_) - server_cpu_ns_);
  const auto meter_ns = static_cast<double>(MeterCpuNs() - meter_cpu_ns_);
  const auto deliveries = static_cast<double>(delivered);
  fmt::print(
      "{{\"published\": {}, \"delivered\": {}, \"seconds\": {:.4f}, \"server_cpu_ns\": {:.1f}, "
      "\"meter_cpu_ns\": {:.1f}, \"server_busy\": {:.3f}, \"rss_bytes\": {}{}}}\n",
      published, delivered, took_s, server_ns / deliveries, meter_ns / deliveries,
      server_ns / 1e9 / took_s, ServerRssBytes(server_), more);
  std::fflush(stdout);
}

}  // namespace atalaya::bench
