#include "alertd/api/sessions.h"

#include <algorithm>

#include "alertd/token.h"

namespace atalaya::alertd {

std::string Sessions::Open() {
  std::string secret = NewSecret();
  const std::lock_guard lock(mutex_);
  EndOld();
  if (opened_ns_.size() >= kMaxSessions) {
    opened_ns_.erase(
        std::min_element(opened_ns_.begin(), opened_ns_.end(),
                         [](const auto& a, const auto& b) { return a.second < b.second; }));
  }
  opened_ns_.emplace(secret, clock_.SteadyNs());
  return secret;
}

bool Sessions::IsOpen(const std::string& secret) {
  const std::lock_guard lock(mutex_);
  EndOld();
  return opened_ns_.contains(secret);
}

void Sessions::Close(const std::string& secret) {
  const std::lock_guard lock(mutex_);
  opened_ns_.erase(secret);
}

void Sessions::EndOld() {
  const std::int64_t oldest_ns =
      clock_.SteadyNs() - std::chrono::nanoseconds(kSessionLifetime).count();
  std::erase_if(opened_ns_, [&](const auto& each) { return each.second <= oldest_ns; });
}

}  // namespace atalaya::alertd
