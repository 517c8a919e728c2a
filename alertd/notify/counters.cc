#include "alertd/notify/counters.h"

namespace atalaya::alertd {

ReceiverCounters& NotifyCounters::At(const std::string& receiver) {
  ReceiverCounters& counters = receivers_[receiver];
  counters.receiver = receiver;
  return counters;
}

void NotifyCounters::AddSent(const std::string& receiver) {
  const std::lock_guard lock(mutex_);
  ++At(receiver).sent;
}

void NotifyCounters::AddFailed(const std::string& receiver) {
  const std::lock_guard lock(mutex_);
  ++At(receiver).failed;
}

void NotifyCounters::AddRetried(const std::string& receiver) {
  const std::lock_guard lock(mutex_);
  ++At(receiver).retried;
}

void NotifyCounters::AddDropped(const std::string& receiver, std::uint64_t count) {
  const std::lock_guard lock(mutex_);
  At(receiver).dropped += count;
}

void NotifyCounters::SetWaiting(const std::map<std::string, std::uint64_t>& by_receiver) {
  const std::lock_guard lock(mutex_);
  for (auto& [receiver, counters] : receivers_) counters.waiting = 0;
  for (const auto& [receiver, waiting] : by_receiver) At(receiver).waiting = waiting;
}

void NotifyCounters::Declare(const std::string& receiver) {
  const std::lock_guard lock(mutex_);
  At(receiver);
}

std::vector<ReceiverCounters> NotifyCounters::Snapshot() const {
  const std::lock_guard lock(mutex_);
  std::vector<ReceiverCounters> all;
  for (const auto& [receiver, counters] : receivers_) all.push_back(counters);
  return all;
}

}  // namespace atalaya::alertd
