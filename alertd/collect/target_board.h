#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "alertd/collect/collector.h"

namespace atalaya::alertd {

// What is known of every target, and whether each was looked at. Threads: any.
class TargetBoard {
 public:
  using Id = std::uint64_t;  // Never used again.

  Id Add(TargetStatus status);
  void SetTimes(Id target, std::chrono::milliseconds interval, std::chrono::milliseconds timeout);
  void Remove(Id target);

  // Notes one look. `error` is "" where it went well; a change between well and not is logged once.
  // `note`: TargetStatus. Of a target that is gone: nothing.
  void Looked(Id target, const std::string& error, std::int64_t now_ms,
              std::chrono::nanoseconds duration, const std::string& note = "");

  // Says that the first look's samples are in the history.
  void Arrived(Id target);

  bool AllArrived() const;
  std::vector<TargetStatus> Snapshot() const;                // By kind, then in order of Add.
  std::array<std::size_t, kTargetHealths> ByHealth() const;  // How many, by TargetHealth.

 private:
  mutable std::mutex mutex_;
  Id next_ = 1;
  std::map<Id, TargetStatus> targets_;
  std::set<Id> missing_;  // Not arrived.
};

}  // namespace atalaya::alertd
