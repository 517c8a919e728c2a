#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "exporter/kernel_file.h"

namespace atalaya::exporter {

// What the collectors of one scrape share: /proc/stat, read once, and the answer to whether the
// facts that sysfs holds of devices may have changed.
//
// Threads: any. A thread that was left behind in an older scrape does no harm.
class ScrapeContext {
 public:
  // `procfs` and `sysfs` as in CollectorOptions; in a made-up tree every scrape counts as a change.
  ScrapeContext(const std::filesystem::path& procfs, const std::filesystem::path& sysfs,
                const Clock& clock);

  // For a collector that runs by itself: nothing is shared from one call to the next.
  void ForgetAlways() { forget_always_ = true; }

  // Begins a scrape: forgets what was read, and listens to what the kernel announced since (devices
  // by uevent, network links by rtnetlink).
  void Begin();

  // Grows with each change announced, and every kFactsAge without one. What was read under the same
  // number may be used again.
  std::uint64_t facts_generation() const { return generation_.load(std::memory_order_relaxed); }

  // The content of /proc/stat in this scrape.
  Result<std::shared_ptr<const std::string>> Stat();

 private:
  bool HeardChange();

  const Clock& clock_;
  const bool live_;
  UniqueFd uevents_;
  UniqueFd links_;
  std::int64_t facts_since_ns_ = 0;
  std::atomic<std::uint64_t> generation_{1};
  std::mutex mutex_;  // All below.
  KernelFile stat_file_;
  bool stat_read_ = false;
  bool forget_always_ = false;
  std::shared_ptr<std::string> stat_;
};

struct CollectorOptions;

// The context of `options`; where there is none (a collector by itself), one that reads /proc/stat
// anew each time.
std::shared_ptr<ScrapeContext> ContextOf(const CollectorOptions& options);

// How long facts are believed when nothing is announced: some drivers announce nothing.
inline constexpr std::chrono::seconds kFactsAge{30};

}  // namespace atalaya::exporter
