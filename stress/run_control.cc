#include "stress/run_control.h"

#include <algorithm>

namespace atalaya::stress {

void IntervalBoard::Put(std::size_t worker, const IntervalFigures& figures) {
  const std::lock_guard lock(mutex_);
  open_[next_[worker]++].Merge(figures);
}

void IntervalBoard::Leave(std::size_t worker) {
  const std::lock_guard lock(mutex_);
  next_[worker] = kLeft;
}

std::optional<IntervalFigures> IntervalBoard::TakeNext() {
  const std::lock_guard lock(mutex_);
  if (*std::min_element(next_.begin(), next_.end()) <= taken_) return std::nullopt;
  const auto found = open_.find(taken_);
  if (found == open_.end()) return std::nullopt;
  IntervalFigures figures = std::move(found->second);
  open_.erase(found);
  ++taken_;
  return figures;
}

void CommandList::Add(Command command) {
  const std::lock_guard lock(mutex_);
  commands_.push_back(command);
  size_.store(commands_.size());
}

Command CommandList::At(std::size_t index) const {
  const std::lock_guard lock(mutex_);
  return commands_[index];
}

}  // namespace atalaya::stress
