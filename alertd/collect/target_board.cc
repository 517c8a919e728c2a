#include "alertd/collect/target_board.h"

#include "base/log.h"

namespace atalaya::alertd {

std::string_view TargetHealthName(TargetHealth health) {
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

std::size_t TargetBoard::Add(TargetStatus status) {
  const std::lock_guard lock(mutex_);
  targets_.push_back(std::move(status));
  arrived_.push_back(false);
  ++missing_;
  return targets_.size() - 1;
}

void TargetBoard::Looked(std::size_t target, const std::string& error, std::int64_t now_ms,
                         std::chrono::nanoseconds duration) {
  const std::lock_guard lock(mutex_);
  TargetStatus& status = targets_[target];
  const TargetHealth health = error.empty() ? TargetHealth::kUp : TargetHealth::kDown;
  if (health == TargetHealth::kDown && status.health != TargetHealth::kDown) {
    LogWarning("{} {}: {}", status.pool, status.address, error);
  } else if (health == TargetHealth::kUp && status.health == TargetHealth::kDown) {
    LogInfo("{} {}: up again", status.pool, status.address);
  }
  status.health = health;
  status.last_error = error;
  status.last_look_ms = now_ms;
  status.last_duration = duration;
}

void TargetBoard::Arrived(std::size_t target) {
  const std::lock_guard lock(mutex_);
  if (arrived_[target]) return;
  arrived_[target] = true;
  --missing_;
}

std::vector<TargetStatus> TargetBoard::Snapshot() const {
  const std::lock_guard lock(mutex_);
  return targets_;
}

}  // namespace atalaya::alertd
