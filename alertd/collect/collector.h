#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "alertd/collect/collect_config.h"
#include "base/clock.h"
#include "base/result.h"
#include "telemetry/sample.h"

namespace atalaya::alertd {

// Batches that wait for the history; further ones are dropped and counted.
inline constexpr std::size_t kMaxQueuedBatches = 4'096;
inline constexpr std::size_t kScrapeBodyLimitBytes = 16u << 20;
inline constexpr std::size_t kScrapeSeriesLimit = 50'000;  // Of one target.

enum class TargetKind { kScrape, kProbe, kProcess, kTelemetry };
enum class TargetHealth { kUnknown, kUp, kDown };

// "unknown", "up", "down": as /api/v1/targets writes it.
std::string_view TargetHealthName(TargetHealth health);

// One target after its last look: what /api/v1/targets and the page show.
struct TargetStatus {
  TargetKind kind = TargetKind::kScrape;
  std::string pool;          // The job, or the name of the probe or process; "telemetry".
  std::string address;       // The URL scraped, host:port, the file watched, the MQTT server.
  telemetry::Labels labels;  // That its series carry.
  TargetHealth health = TargetHealth::kUnknown;
  std::string last_error;         // "" where health is kUp.
  std::int64_t last_look_ms = 0;  // 0: not yet.
  std::chrono::nanoseconds last_duration{0};
  std::chrono::milliseconds interval{0};  // 0 for what is told by events.
  std::chrono::milliseconds timeout{0};
};

struct TargetsSnapshot {
  std::vector<TargetStatus> targets;  // By kind, then in the order of the configuration.
  std::uint64_t samples = 0;          // Handed to the history since the start.
  std::uint64_t dropped_batches = 0;  // For want of room in the queue.
  std::uint64_t refused_packets = 0;  // Telemetry that could not be read, or over a limit.
};

struct CollectorConfig {
  std::vector<ScrapeConfig> scrapes;
  std::vector<ProbeConfig> probes;
  std::vector<ProcessConfig> processes;
  std::optional<TelemetryConfig> telemetry;

  friend bool operator==(const CollectorConfig&, const CollectorConfig&) = default;
};

struct CollectorOptions {
  const Clock* clock = &SystemClock();

  // Where samples go: called on one thread of the collector, which may block. Telemetry packets are
  // acknowledged after it returned fine.
  std::function<Status(const std::vector<telemetry::LabelledSample>&)> append;

  // Called after `append`, on the same thread, when the batch came of an event that rules should
  // see at once. `event_ns`: steady clock, when it was seen. Must not block.
  std::function<void(std::int64_t event_ns)> on_event;
};

// Looks at everything that alertd watches, each part on a thread of its own, so that none delays
// another; all of it becomes samples. Threads: any.
class Collector {
 public:
  // Begins at once. Targets that are away are no failure. kIo where the kernel refuses a
  // descriptor or thread.
  static Result<std::unique_ptr<Collector>> Start(CollectorOptions options, CollectorConfig config);
  ~Collector();  // Ends within a second; what was queued is appended first.
  Collector(const Collector&) = delete;
  Collector& operator=(const Collector&) = delete;

  // Whether each target was looked at once, well or not, and that look is in the history.
  bool Settled() const;

  TargetsSnapshot Snapshot() const;

 private:
  struct Impl;
  explicit Collector(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace atalaya::alertd
