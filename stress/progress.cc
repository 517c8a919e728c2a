#include "stress/progress.h"

#include <fmt/format.h>

#include <cstdio>

#include "stress/wording.h"

namespace atalaya::stress {

Progress::Progress(const Scenario& scenario, bool terminal)
    : scenario_(scenario), terminal_(terminal) {}

void Progress::Connecting(std::uint64_t ready, std::uint64_t failed) {
  failures_ = failed;
  Show(fmt::format("connecting: {} of {} ready, {} failed", WordCount(ready),
                   WordCount(2 * static_cast<std::uint64_t>(scenario_.clients)),
                   WordCount(failed)));
}

std::string Progress::LineFor(const TimelineRow& row) {
  failures_ += row.failures;
  const double seconds = row.seconds() > 0 ? row.seconds() : 1;
  const double length_s = std::chrono::duration<double>(scenario_.duration).count();
  const std::string at =
      row.drain ? "[drain]"
                : fmt::format("[{:.0f}/{:.0f} s]", static_cast<double>(row.to_ns) / 1e9, length_s);
  const std::string server =
      row.server ? fmt::format("  server {} CPU {}", WordPercent(row.server->cpu_percent),
                               WordBytes(row.server->memory_bytes))
                 : "";
  return fmt::format("{}  sent {}/s  received {}/s  p99 {}  errors {}{}", at,
                     WordNumber(static_cast<double>(row.sent) / seconds),
                     WordNumber(static_cast<double>(row.received) / seconds),
                     row.received == 0 ? "-" : WordLatency(row.p99_ns), WordCount(failures_),
                     server);
}

void Progress::Row(const TimelineRow& row) { Show(LineFor(row)); }

void Progress::Show(const std::string& line) {
  std::fputs((terminal_ ? "\r\x1b[K" + line : line + "\n").c_str(), stderr);
  std::fflush(stderr);
  open_line_ = terminal_;
}

void Progress::Finish() {
  if (open_line_) std::fputs("\n", stderr);
  open_line_ = false;
}

}  // namespace atalaya::stress
