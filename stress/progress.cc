#include "stress/progress.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "stress/wording.h"

namespace atalaya::stress {
namespace {

constexpr int kBarWidth = 40;

std::string LatencyOf(const TimelineRow& row, std::int64_t ns) {
  return row.received == 0 ? "-" : WordLatency(ns);
}

std::string ServerOf(const TimelineRow& row) {
  return row.server ? fmt::format("{} CPU {}", WordPercent(row.server->cpu_percent),
                                  WordBytes(row.server->memory_bytes))
                    : "-";
}

std::string RateOf(const TimelineRow& row, std::uint64_t count) {
  return WordNumber(row.PerSecond(static_cast<double>(count)));
}

}  // namespace

Progress::Progress(const Scenario& scenario, bool terminal)
    : scenario_(scenario), terminal_(terminal) {}

void Progress::Connecting(std::uint64_t ready, std::uint64_t failed) {
  failures_ = failed;
  Show(fmt::format("connecting: {} of {} ready, {} failed", WordCount(ready),
                   WordCount(static_cast<std::uint64_t>(scenario_.connections())),
                   WordCount(failed)));
}

std::string Progress::LineFor(const TimelineRow& row) const {
  const double length_s = std::chrono::duration<double>(scenario_.duration()).count();
  const std::string at =
      row.drain ? "[drain]"
                : fmt::format("[{:.0f}/{:.0f} s]", static_cast<double>(row.to_ns) / 1e9, length_s);
  return fmt::format("{}  sent {}/s  received {}/s  p99 {}  errors {}{}", at, RateOf(row, row.sent),
                     RateOf(row, row.received), LatencyOf(row, row.p99_ns), WordCount(failures_),
                     row.server ? "  server " + ServerOf(row) : "");
}

std::string Progress::PanelFor(const TimelineRow& row) const {
  const double length_s = std::chrono::duration<double>(scenario_.duration()).count();
  const double at_s = static_cast<double>(row.to_ns) / 1e9;
  const int filled = static_cast<int>(kBarWidth * std::clamp(at_s / length_s, 0.0, 1.0));
  return fmt::format(
      "[{}{}] {:.0f} of {:.0f} s{}\n"
      "  rate     sent {}/s of {}/s planned, received {}/s\n"
      "  response p50 {}  p90 {}  p99 {}  max {}\n"
      "  errors   {} connections failed, {} ready\n"
      "  server   {}",
      std::string(static_cast<std::size_t>(filled), '#'),
      std::string(static_cast<std::size_t>(kBarWidth - filled), '.'), at_s, length_s,
      row.drain ? ", draining" : fmt::format(", {:.0f} s left", std::max(length_s - at_s, 0.0)),
      RateOf(row, row.sent), RateOf(row, row.planned), RateOf(row, row.received),
      LatencyOf(row, row.p50_ns), LatencyOf(row, row.p90_ns), LatencyOf(row, row.p99_ns),
      LatencyOf(row, row.max_ns), WordCount(failures_), row.connections, ServerOf(row));
}

void Progress::Row(const TimelineRow& row) {
  failures_ += row.failures;
  Show(terminal_ ? PanelFor(row) : LineFor(row));
}

void Progress::Show(const std::string& text) {
  std::string out;
  if (open_lines_ > 0) out = fmt::format("\r\x1b[{}A\x1b[J", open_lines_);
  out += text + "\n";
  std::fputs(out.c_str(), stderr);
  std::fflush(stderr);
  open_lines_ = terminal_ ? 1 + static_cast<int>(std::count(text.begin(), text.end(), '\n')) : 0;
}

void Progress::Finish() { open_lines_ = 0; }

}  // namespace atalaya::stress
