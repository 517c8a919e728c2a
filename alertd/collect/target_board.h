#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

#include "alertd/collect/collector.h"

namespace atalaya::alertd {

// What is known of every target, and whether each was looked at. Targets are added before the
// threads start. Threads: any.
class TargetBoard {
 public:
  std::size_t Add(TargetStatus status);

  // Notes one look. `error` is "" where it went well; a change between well and not is logged once.
  void Looked(std::size_t target, const std::string& error, std::int64_t now_ms,
              std::chrono::nanoseconds duration);

  // Says that the first look's samples are in the history.
  void Arrived(std::size_t target);

  bool AllArrived() const { return missing_ == 0; }
  std::vector<TargetStatus> Snapshot() const;

 private:
  mutable std::mutex mutex_;
  std::vector<TargetStatus> targets_;
  std::vector<bool> arrived_;
  std::atomic<std::size_t> missing_{0};
};

}  // namespace atalaya::alertd
