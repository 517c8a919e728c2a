#include "alertd/collect/target_board.h"

#include <algorithm>

#include "base/log.h"

namespace atalaya::alertd {

TargetBoard::Id TargetBoard::Add(TargetStatus status) {
  const std::lock_guard lock(mutex_);
  targets_.emplace(next_, std::move(status));
  missing_.insert(next_);
  return next_++;
}

void TargetBoard::SetTimes(Id target, std::chrono::milliseconds interval,
                           std::chrono::milliseconds timeout) {
  const std::lock_guard lock(mutex_);
  const auto found = targets_.find(target);
  if (found == targets_.end()) return;
  found->second.interval = interval;
  found->second.timeout = timeout;
}

void TargetBoard::Remove(Id target) {
  const std::lock_guard lock(mutex_);
  targets_.erase(target);
  missing_.erase(target);
}

void TargetBoard::Looked(Id target, const std::string& error, std::int64_t now_ms,
                         std::chrono::nanoseconds duration, const std::string& note) {
  const std::lock_guard lock(mutex_);
  const auto found = targets_.find(target);
  if (found == targets_.end()) return;
  TargetStatus& status = found->second;
  const TargetHealth health = error.empty() ? TargetHealth::kUp : TargetHealth::kDown;
  if (health == TargetHealth::kDown && status.health != TargetHealth::kDown) {
    LogWarning("{} {}: {}", status.pool, status.address, error);
  } else if (health == TargetHealth::kUp && status.health == TargetHealth::kDown) {
    LogInfo("{} {}: up again", status.pool, status.address);
  }
  status.health = health;
  status.last_error = error;
  status.note = note;
  status.last_look_ms = now_ms;
  status.last_duration = duration;
}

void TargetBoard::Arrived(Id target) {
  const std::lock_guard lock(mutex_);
  missing_.erase(target);
}

bool TargetBoard::AllArrived() const {
  const std::lock_guard lock(mutex_);
  return missing_.empty();
}

std::vector<TargetStatus> TargetBoard::Snapshot() const {
  const std::lock_guard lock(mutex_);
  std::vector<TargetStatus> all;
  all.reserve(targets_.size());
  for (const auto& [id, status] : targets_) all.push_back(status);
  std::stable_sort(all.begin(), all.end(),
                   [](const auto& a, const auto& b) { return a.kind < b.kind; });
  return all;
}

std::array<std::size_t, kTargetHealths> TargetBoard::ByHealth() const {
  const std::lock_guard lock(mutex_);
  std::array<std::size_t, kTargetHealths> counts{};
  for (const auto& [id, status] : targets_) ++counts[static_cast<std::size_t>(status.health)];
  return counts;
}

}  // namespace atalaya::alertd
