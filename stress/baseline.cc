#include "stress/baseline.h"

#include <nlohmann/json.hpp>

#include "base/file.h"
#include "stress/wording.h"

namespace atalaya::stress {
namespace {

using BaselineJson = nlohmann::json;

constexpr std::size_t kLimitBytes = 64u << 20;

struct Row {
  const char* name;
  double KeyFigures::*figure;
  const char* key;
  bool more_is_better;
  bool any_worse;  // No noise: one more is one too many.
  std::string (*word)(double);
};

std::string Latency(double ns) { return WordLatency(static_cast<std::int64_t>(ns)); }
std::string Bytes(double bytes) { return WordBytes(static_cast<std::uint64_t>(bytes)); }

const Row kRows[] = {
    {"response time, p50", &KeyFigures::p50_ns, "p50_ns", false, false, Latency},
    {"response time, p99", &KeyFigures::p99_ns, "p99_ns", false, false, Latency},
    {"response time, p99.9", &KeyFigures::p999_ns, "p999_ns", false, false, Latency},
    {"deliveries per second", &KeyFigures::received_per_s, "received_per_s", true, false,
     WordNumber},
    {"lost", &KeyFigures::lost, "lost", false, true, WordNumber},
    {"connections failed", &KeyFigures::failures, "failures", false, true, WordNumber},
    {"server CPU for each delivery", &KeyFigures::server_cpu_ns, "server_cpu_ns", false, false,
     Latency},
    {"server memory, highest", &KeyFigures::server_memory_bytes, "server_memory_bytes", false,
     false, Bytes},
    {"capacity, messages per second", &KeyFigures::capacity_per_s, "capacity_per_s", true, false,
     WordNumber},
};

}  // namespace

KeyFigures KeyFiguresOf(const RunRecord& record, double capacity_per_s) {
  KeyFigures key;
  const LatencyHistogram& response = record.messages.response;
  if (response.count() > 0) {
    key.p50_ns = static_cast<double>(response.PercentileNs(50));
    key.p99_ns = static_cast<double>(response.PercentileNs(99));
    key.p999_ns = static_cast<double>(response.PercentileNs(99.9));
  }
  key.received_per_s = record.PerSecond(record.ledger.received);
  key.lost = static_cast<double>(record.ledger.lost());
  key.failures = static_cast<double>(record.FailureCount());
  double cpu_ns = 0;
  std::uint64_t received = 0;
  for (const TimelineRow& row : record.timeline) {
    if (row.drain || !row.server) continue;
    cpu_ns += row.server->cpu_percent * row.seconds() * 1e7;
    received += row.received;
    key.server_memory_bytes =
        std::max(key.server_memory_bytes, static_cast<double>(row.server->memory_bytes));
  }
  if (received > 0) key.server_cpu_ns = cpu_ns / static_cast<double>(received);
  if (capacity_per_s > 0) key.capacity_per_s = capacity_per_s;
  return key;
}

Result<Baseline> ReadBaseline(const std::string& path) {
  const Result<std::string> text = ReadFile(path, kLimitBytes);
  if (!text) return Forward(text.error());
  const BaselineJson json = BaselineJson::parse(*text, nullptr, false);
  const bool whole = json.is_object() && json.contains("key_figures") &&
                     json["key_figures"].is_object() && json.contains("environment") &&
                     json["environment"].is_object();
  if (!whole) {
    return Fail(ErrorCode::kInvalid,
                "--baseline: {} is no report of cloud_stress (write a file of --json)", path);
  }
  Baseline baseline;
  for (const Row& row : kRows) {
    const auto found = json["key_figures"].find(row.key);
    if (found != json["key_figures"].end() && found->is_number()) {
      baseline.figures.*row.figure = found->get<double>();
    }
  }
  const auto text_of = [&json](const char* key) {
    const auto found = json["environment"].find(key);
    return found != json["environment"].end() && found->is_string() ? found->get<std::string>()
                                                                    : std::string();
  };
  baseline.command = text_of("command");
  baseline.started = text_of("started");
  return baseline;
}

Comparison Compare(const Baseline& before, const KeyFigures& now) {
  Comparison comparison{before.command, before.started, {}};
  for (const Row& row : kRows) {
    const double old_value = before.figures.*row.figure;
    const double new_value = now.*row.figure;
    if (old_value < 0 || new_value < 0) continue;
    ComparisonRow made{row.name, row.word(old_value), row.word(new_value), 0, false};
    if (old_value > 0) made.change_percent = 100 * (new_value - old_value) / old_value;
    const double worse_by = row.more_is_better ? -made.change_percent : made.change_percent;
    made.worse = row.any_worse ? new_value > old_value : worse_by > kWorsePercent;
    comparison.rows.push_back(std::move(made));
  }
  return comparison;
}

}  // namespace atalaya::stress
