#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "alertd/collect/collect_config.h"
#include "alertd/collect/probe/probe_config.h"
#include "alertd/collect/probe/probe_outcome.h"
#include "alertd/collect/scrape_fault.h"
#include "base/clock.h"
#include "base/result.h"
#include "telemetry/series.h"
#include "telemetry/text_scanner.h"

namespace atalaya::alertd {

enum class TargetKind { kScrape, kProbe, kProcess, kTelemetry };
enum class TargetHealth { kUnknown, kUp, kDown };
inline constexpr std::size_t kTargetHealths = 3;

// "unknown", "up", "down": as /api/v1/targets writes it.
inline std::string_view TargetHealthName(TargetHealth health) {
  switch (health) {
    case TargetHealth::kUnknown:
      return "unknown";
    case TargetHealth::kUp:
      return "up";
    case TargetHealth::kDown:
      return "down";
  }
  return "unknown";
}

// One target after its last look: what /api/v1/targets and the page show.
struct TargetStatus {
  TargetKind kind = TargetKind::kScrape;
  std::string pool;          // The job, or the name of the probe or process; "telemetry".
  std::string address;       // The URL, host:port, file or program that is looked at.
  telemetry::Labels labels;  // That its series carry.
  LabelMap discovered = {};  // What a scrape target was made of.
  TargetHealth health = TargetHealth::kUnknown;
  std::string last_error;         // "" where health is kUp.
  std::string note = {};          // What the target says of itself: the first line of a command.
  std::int64_t last_look_ms = 0;  // 0: not yet.
  std::chrono::nanoseconds last_duration{0};
  std::chrono::milliseconds interval{0};  // 0 for what is told by events.
  std::chrono::milliseconds timeout{0};
};

struct ScrapeFigures {
  std::uint64_t scrapes = 0;                                     // Done, well or not.
  std::array<std::uint64_t, kScrapeFaultNames.size()> failed{};  // By ScrapeFaultKind.
  std::uint64_t missed = 0;      // Left out because the one before, or the machine, took too long.
  std::uint64_t body_bytes = 0;  // Of the pages that were read, unpacked.
  std::size_t broken_files = 0;  // Files of targets that cannot be read now.
  std::size_t left_out = 0;      // Targets that are faulty or over kMaxTargets.
};

struct ProbeFigures {
  std::uint64_t looks = 0;                                      // Done, well or not.
  std::array<std::uint64_t, kProbeFaultNames.size()> failed{};  // By ProbeFaultKind.
};

struct TelemetryFigures {
  std::uint64_t packets = 0;     // All that came.
  std::uint64_t unreadable = 0;  // Of these, refused for what they hold,
  std::uint64_t over_limit = 0;  // and for being of more clients or series than are kept.
  std::size_t clients = 0;
  std::size_t series = 0;
};

// Counted since the start, but for what is "now".
struct CollectFigures {
  std::array<std::size_t, kTargetHealths> targets{};  // Now, by TargetHealth.
  ScrapeFigures scrapes;
  ProbeFigures probes;
  TelemetryFigures telemetry;
  std::uint64_t samples = 0;          // Handed to the history.
  std::size_t queued_batches = 0;     // Now.
  std::uint64_t dropped_batches = 0;  // For want of room in the queue.
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

  // Where samples go: called on one thread of the collector, which may block.
  std::function<Status(std::span<const telemetry::SeriesSample>)> append;

  // Calls `done` once all that was appended is on stable storage: then telemetry packets are
  // acknowledged. Called on the same thread; must not block.
  std::function<void(std::function<void()> done)> when_durable;

  // Called after `append`, on the same thread, when the batch came of an event that rules should
  // see at once. `event_ns`: steady clock, when it was seen. Must not block.
  std::function<void(std::int64_t event_ns)> on_event;

  // Whose cloud_client_up is told from the start, known to be down where the server knows nothing
  // of them: those whose telemetry the history has.
  std::vector<std::string> known_clients = {};
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

  // Takes another configuration over. Scrapes that stay the same go on undisturbed; series of
  // targets that are gone end with stale markers. Parts other than scrapes begin anew where
  // something of them differs; series of probes that stay the same go on. Fails as Start does; then
  // what failed is not watched. Blocks for up to a second.
  Status Reconfigure(CollectorConfig config);

  // Whether each target was looked at once, well or not, and that look is in the history.
  bool Settled() const;

  std::vector<TargetStatus> Targets() const;  // By kind.

  // What the targets' pages say of their families now: each different type, help and unit of a name
  // once, by name.
  std::vector<telemetry::FamilyMetadata> Metadata() const;

  CollectFigures Figures() const;

 private:
  struct Impl;
  explicit Collector(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace atalaya::alertd
