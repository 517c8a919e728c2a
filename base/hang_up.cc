#include "base/hang_up.h"

#include <poll.h>

#include <charconv>
#include <filesystem>

namespace atalaya {
namespace {

// The descriptor of this process's socket that is connected from `peer` to `port`.
std::optional<int> FindConnection(const HostPort& peer, std::uint16_t port) {
  std::error_code error;
  for (std::filesystem::directory_iterator it("/proc/self/fd", error), end; !error && it != end;
       it.increment(error)) {
    const std::string name = it->path().filename().string();
    int fd = -1;
    std::from_chars(name.data(), name.data() + name.size(), fd);
    const Result<HostPort> other = PeerAddress(fd);
    if (!other || *other != peer) continue;
    const Result<HostPort> own = LocalAddress(fd);
    if (own && own->port == port) return fd;
  }
  return std::nullopt;
}

}  // namespace

bool HangUpWatch::HungUp() {
  if (!searched_) {
    if (SystemClock().SteadyNs() - began_ns_ < kHangUpPatienceNs) return false;
    searched_ = true;
    socket_ = FindConnection(peer_, port_);
  }
  if (!socket_) return false;
  pollfd waiting{.fd = *socket_, .events = POLLRDHUP, .revents = 0};
  return poll(&waiting, 1, 0) > 0;
}

}  // namespace atalaya
