#include "stress/report.h"

#include <fmt/format.h>

namespace atalaya::stress {

int Report::ExitCode() const {
  if (capacity && capacity->capacity_per_s == 0) return kExitMissed;
  return verdict.ExitCode();
}

std::string ReportCsv(const RunRecord& record) {
  std::string csv =
      "from_s,to_s,drain,planned,sent,received,bytes_out,bytes_in,failures,connections,p50_us,"
      "p90_us,p99_us,max_us,generator_cpu_percent,server_cpu_percent,server_memory_bytes\n";
  for (const TimelineRow& row : record.timeline) {
    const auto latency = [&row](std::int64_t ns) {
      return row.received == 0 ? std::string()
                               : fmt::format("{:.1f}", static_cast<double>(ns) / 1e3);
    };
    csv += fmt::format("{:.3f},{:.3f},{},{},{},{},{},{},{},{},{},{},{},{},{:.1f},{},{}\n",
                       static_cast<double>(row.from_ns) / 1e9, static_cast<double>(row.to_ns) / 1e9,
                       row.drain ? 1 : 0, row.planned, row.sent, row.received, row.bytes_out,
                       row.bytes_in, row.failures, row.connections, latency(row.p50_ns),
                       latency(row.p90_ns), latency(row.p99_ns), latency(row.max_ns),
                       row.GeneratorCpuPercent(),
                       row.server ? fmt::format("{:.1f}", row.server->cpu_percent) : "",
                       row.server ? std::to_string(row.server->memory_bytes) : "");
  }
  return csv;
}

}  // namespace atalaya::stress
