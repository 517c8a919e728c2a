#include "cloud_server/throttle.h"

#include <algorithm>

namespace atalaya::cloud_server {
namespace {

// Never 0, so that one packet can always go in the end.
double Capacity(std::uint64_t rate) { return std::max(static_cast<double>(rate), 1.0); }

}  // namespace

Throttle::Throttle(const Limits& limits, std::int64_t now_ns)
    : packets_(Capacity(limits.client_publish_rate)),
      bytes_(Capacity(limits.client_publish_bytes)),
      filled_ns_(now_ns) {}

bool Throttle::Pay(std::size_t bytes, const Limits& limits, std::int64_t now_ns) {
  const double seconds = static_cast<double>(now_ns - filled_ns_) / 1e9;
  filled_ns_ = now_ns;
  const auto packet_rate = static_cast<double>(limits.client_publish_rate);
  const auto byte_rate = static_cast<double>(limits.client_publish_bytes);
  packets_ = std::min(Capacity(limits.client_publish_rate), packets_ + packet_rate * seconds);
  bytes_ = std::min(Capacity(limits.client_publish_bytes), bytes_ + byte_rate * seconds);
  if (packet_rate > 0 && packets_ < 1) return false;
  if (byte_rate > 0 && bytes_ <= 0) return false;
  packets_ -= 1;
  bytes_ -= static_cast<double>(bytes);
  return true;
}

}  // namespace atalaya::cloud_server
