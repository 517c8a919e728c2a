#include "stress/environment.h"

#include <sched.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>

#include <algorithm>
#include <sstream>

#include "base/clock.h"
#include "base/file.h"

namespace atalaya::stress {
namespace {

constexpr std::size_t kMaxWorkers = 64;
constexpr std::uint64_t kSpareDescriptors = 64;  // Logs, reports, epoll and timers.
constexpr char kPortRange[] = "/proc/sys/net/ipv4/ip_local_port_range";

int UsableCpus() {
  cpu_set_t mask;
  CPU_ZERO(&mask);
  return sched_getaffinity(0, sizeof mask, &mask) == 0 ? std::max(1, CPU_COUNT(&mask)) : 1;
}

std::string CpuModel() {
  const Result<std::string> info = ReadFile("/proc/cpuinfo");
  std::istringstream lines(info.value_or(""));
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("model name")) continue;
    const std::size_t colon = line.find(": ");
    if (colon != std::string::npos) return line.substr(colon + 2);
  }
  return "unknown";
}

// So that it can be pasted into a shell again.
std::string Quoted(const std::string& word) {
  constexpr char kPlain[] =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:=,@%+[]";
  if (!word.empty() && word.find_first_not_of(kPlain) == std::string::npos) return word;
  std::string quoted = "'";
  for (const char c : word) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

}  // namespace

Environment DescribeEnvironment(int argc, const char* const* argv, const Scenario& scenario) {
  Environment environment;
  utsname system{};
  if (uname(&system) == 0) {
    environment.host = system.nodename;
    environment.kernel = fmt::format("{} {} {}", system.sysname, system.release, system.machine);
  }
  struct sysinfo memory {};
  if (sysinfo(&memory) == 0) {
    environment.memory_bytes = std::uint64_t{memory.totalram} * memory.mem_unit;
  }
  environment.cpu_model = CpuModel();
  environment.cpus = UsableCpus();
  for (int i = 0; i < argc; ++i) {
    environment.command += (i == 0 ? "" : " ") + Quoted(argv[i]);
  }
  environment.started_ms = SystemClock().NowMs();
  environment.co_located = IsLoopback(scenario.target.address.host);
  return environment;
}

Status Preflight(const Scenario& scenario, std::size_t workers) {
  std::uint64_t connections = static_cast<std::uint64_t>(scenario.connections());
  for (const Fault& fault : scenario.faults) {
    if (!fault.OnProcess() && !fault.ByWorkers()) connections += static_cast<unsigned>(fault.count);
  }
  const std::uint64_t needed = connections + 2 * workers + kSpareDescriptors;
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  getrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_cur < needed) {
    return Fail(
        ErrorCode::kLimit,
        "{} connections need {} file descriptors, and the limit is {}: raise it (ulimit -n {}) "
        "or take at most {} connections",
        connections, needed, limit.rlim_cur, needed,
        limit.rlim_cur > needed - connections ? limit.rlim_cur - (needed - connections) : 0);
  }
  // Several source addresses: connection.h.
  if (scenario.target.address.host.starts_with("127.")) return {};
  std::istringstream range(ReadFile(kPortRange).value_or("32768 60999"));
  std::uint64_t first = 0, last = 0;
  range >> first >> last;
  const std::uint64_t ports = last >= first ? last - first + 1 : 0;
  if (ports < connections) {
    return Fail(ErrorCode::kLimit,
                "{} connections need as many local ports, and {} has {}: widen it or take at most "
                "{} connections",
                connections, kPortRange, ports, ports);
  }
  return {};
}

std::size_t WorkersFor(const Scenario& scenario) {
  return std::min({static_cast<std::size_t>(UsableCpus()),
                   static_cast<std::size_t>(scenario.connections() + 1) / 2, kMaxWorkers});
}

}  // namespace atalaya::stress
