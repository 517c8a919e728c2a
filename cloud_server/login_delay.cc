#include "cloud_server/login_delay.h"

#include <arpa/inet.h>

#include <algorithm>

namespace atalaya::cloud_server {
namespace {

std::int64_t Ns(std::chrono::nanoseconds duration) { return duration.count(); }

std::int64_t PauseAfter(std::uint32_t failures) {
  if (failures <= kFreeLoginFailures) return 0;
  constexpr std::uint32_t kDoublings = 16;  // Far beyond the longest pause.
  const std::uint32_t doublings = std::min(failures - kFreeLoginFailures - 1, kDoublings);
  return std::min(Ns(kFirstLoginPause) << doublings, Ns(kLongestLoginPause));
}

}  // namespace

std::optional<std::chrono::nanoseconds> LoginDelays::TakeTurn(std::string_view address) {
  const std::lock_guard lock(mutex_);
  const auto found = failures_.find(std::string(address));
  if (found == failures_.end()) return std::chrono::nanoseconds(0);
  Failures& failures = found->second;
  const std::int64_t now = clock_.SteadyNs();
  if (now - failures.last_ns > Ns(kLoginFailuresFade)) {
    failures_.erase(found);
    return std::chrono::nanoseconds(0);
  }
  const std::int64_t turn = std::max(now, failures.next_turn_ns);
  if (turn - now > Ns(kLongestLoginWait)) return std::nullopt;
  failures.next_turn_ns = turn + PauseAfter(failures.count);
  return std::chrono::nanoseconds(turn - now);
}

void LoginDelays::NoteFailure(std::string_view address) {
  const std::lock_guard lock(mutex_);
  if (failures_.size() >= kMaxSlowedAddresses && !failures_.contains(std::string(address))) {
    MakeRoom();
  }
  Failures& failures = failures_[std::string(address)];
  const std::int64_t now = clock_.SteadyNs();
  if (failures.count > 0 && now - failures.last_ns > Ns(kLoginFailuresFade)) failures = {};
  ++failures.count;
  failures.last_ns = now;
  failures.next_turn_ns = std::max(failures.next_turn_ns, now + PauseAfter(failures.count));
}

void LoginDelays::MakeRoom() {
  const auto quietest = std::min_element(
      failures_.begin(), failures_.end(),
      [](const auto& a, const auto& b) { return a.second.last_ns < b.second.last_ns; });
  failures_.erase(quietest);
}

std::size_t LoginDelays::size() const {
  const std::lock_guard lock(mutex_);
  return failures_.size();
}

std::string AddressKey(const std::string& host) {
  in6_addr address{};
  if (inet_pton(AF_INET6, host.c_str(), &address) != 1) return host;
  if (IN6_IS_ADDR_V4MAPPED(&address)) return host.substr(host.rfind(':') + 1);
  return std::string(reinterpret_cast<const char*>(address.s6_addr), 8);
}

}  // namespace atalaya::cloud_server
