#include "cloud_server/address_table.h"

#include <algorithm>

namespace atalaya::cloud_server {
namespace {

constexpr double kNanosPerSecond = 1e9;
constexpr std::int64_t kQuietNs = 2'000'000'000;  // By then every bucket is full again.

}  // namespace

AddressTable::Verdict AddressTable::Admit(int fd, const std::string& address, const Limits& limits,
                                          std::int64_t now_ns) {
  if (limits.address_connections == 0 && limits.address_connect_rate == 0) {
    return Verdict::kAdmitted;
  }
  const std::lock_guard lock(mutex_);
  auto found = addresses_.find(address);
  if (found == addresses_.end()) {
    if (addresses_.size() >= kMaxAddresses) ForgetQuiet(now_ns);
    if (addresses_.size() >= kMaxAddresses) return Verdict::kAdmitted;
    found = addresses_.emplace(address, Address()).first;
    found->second.tokens = static_cast<double>(limits.address_connect_rate);
    found->second.filled_ns = now_ns;
  }
  Address& entry = found->second;
  if (limits.address_connect_rate > 0) {
    // Two loops' clocks of the turn may be in the other order.
    const std::int64_t passed_ns = std::max<std::int64_t>(now_ns - entry.filled_ns, 0);
    const auto rate = static_cast<double>(limits.address_connect_rate);
    entry.tokens =
        std::min(rate, entry.tokens + rate * static_cast<double>(passed_ns) / kNanosPerSecond);
    entry.filled_ns = std::max(entry.filled_ns, now_ns);
    if (entry.tokens < 1) return Verdict::kTooFast;
    entry.tokens -= 1;
  }
  if (limits.address_connections > 0 && entry.connections >= limits.address_connections) {
    return Verdict::kTooMany;
  }
  ++entry.connections;
  by_fd_[fd] = address;
  return Verdict::kAdmitted;
}

void AddressTable::Leave(int fd) {
  const std::lock_guard lock(mutex_);
  const auto left = by_fd_.find(fd);
  if (left == by_fd_.end()) return;
  const auto found = addresses_.find(left->second);
  if (found != addresses_.end()) --found->second.connections;
  by_fd_.erase(left);
}

void AddressTable::ForgetQuiet(std::int64_t now_ns) {
  std::erase_if(addresses_, [now_ns](const auto& item) {
    return item.second.connections == 0 && now_ns - item.second.filled_ns > kQuietNs;
  });
}

std::size_t AddressTable::size() const {
  const std::lock_guard lock(mutex_);
  return addresses_.size();
}

}  // namespace atalaya::cloud_server
