#include "stress/server_watch.h"

#include <unistd.h>

#include <sstream>

#include "base/clock.h"
#include "base/file.h"

namespace atalaya::stress {

struct ServerWatch::Reading {
  std::string name;
  std::uint64_t cpu_ticks = 0;
  std::uint64_t start_ticks = 0;
  std::uint64_t memory_bytes = 0;
};

// proc(5): the fields after the name, which may hold anything, begin behind its last ')'.
std::optional<ServerWatch::Reading> ServerWatch::Read(std::int64_t pid) {
  const Result<std::string> stat = ReadFile(fmt::format("/proc/{}/stat", pid));
  if (!stat) return std::nullopt;
  const std::size_t open = stat->find('(');
  const std::size_t close = stat->rfind(')');
  if (open == std::string::npos || close == std::string::npos) return std::nullopt;
  Reading reading;
  reading.name = stat->substr(open + 1, close - open - 1);
  std::istringstream fields(stat->substr(close + 1));
  std::string state;
  fields >> state;
  std::uint64_t value = 0;
  constexpr int kUtime = 14, kStime = 15, kStartTime = 22, kRssPages = 24;
  for (int field = 4; field <= kRssPages && fields; ++field) {
    std::string text;
    fields >> text;
    value = std::strtoull(text.c_str(), nullptr, 10);
    if (field == kUtime || field == kStime) reading.cpu_ticks += value;
    if (field == kStartTime) reading.start_ticks = value;
    if (field == kRssPages) {
      reading.memory_bytes = value * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
    }
  }
  const bool over = state == "Z" || state == "X";
  return fields && !over ? std::optional(reading) : std::nullopt;
}

ServerWatch ServerWatch::Nobody(std::string note) {
  ServerWatch watch;
  watch.note_ = std::move(note);
  return watch;
}

Result<ServerWatch> ServerWatch::Watch(std::int64_t pid) {
  const std::optional<Reading> reading = Read(pid);
  if (!reading) {
    return Fail(ErrorCode::kNotFound, "--server-pid: no process has the pid {}", pid);
  }
  ServerWatch watch;
  watch.pid_ = pid;
  watch.start_ticks_ = reading->start_ticks;
  watch.last_cpu_ticks_ = reading->cpu_ticks;
  watch.last_ns_ = SystemClock().SteadyNs();
  watch.server_ = fmt::format("{} (pid {})", reading->name, pid);
  return watch;
}

Result<ServerWatch> ServerWatch::Find(const ServerWatchOptions& options) {
  if (options.server_pid != 0) return Watch(options.server_pid);
  if (!IsLoopback(options.target.host)) return Nobody("the target is on another machine");
  const std::optional<PortHolder> holder = FindPortHolder(options.target.port);
  if (!holder) {
    return Nobody(fmt::format("who listens on port {} cannot be seen; name it with --server-pid",
                              options.target.port));
  }
  Result<ServerWatch> watch = Watch(holder->pid);
  return watch ? watch : Nobody(fmt::format("pid {} is gone", holder->pid));
}

void ServerWatch::Follow(std::int64_t pid) {
  if (Result<ServerWatch> watch = Watch(pid)) *this = std::move(*watch);
}

std::optional<ServerPoint> ServerWatch::Sample(std::int64_t now_ns) {
  if (pid_ == 0) return std::nullopt;
  const std::optional<Reading> reading = Read(pid_);
  if (!reading || reading->start_ticks != start_ticks_) return std::nullopt;
  ServerPoint point;
  point.memory_bytes = reading->memory_bytes;
  const double seconds = static_cast<double>(now_ns - last_ns_) / 1e9;
  const auto ticks = static_cast<double>(reading->cpu_ticks - last_cpu_ticks_);
  if (seconds > 0) {
    point.cpu_percent = 100 * ticks / static_cast<double>(sysconf(_SC_CLK_TCK)) / seconds;
  }
  last_cpu_ticks_ = reading->cpu_ticks;
  last_ns_ = now_ns;
  return point;
}

}  // namespace atalaya::stress
