#pragma once

#include <cstdint>
#include <optional>

#include "base/clock.h"
#include "base/net.h"

namespace atalaya {

// Tells whether the other end of one of this process's TCP connections has hung up. For a library
// that keeps its sockets to itself (CivetWeb): the socket is found by its addresses, once somebody
// has waited for kHangUpPatienceNs. Threads: one.
class HangUpWatch {
 public:
  // The connection from `peer`, a numeric address, to this process's `port`. It must stay open as
  // long as the watch is asked.
  HangUpWatch(HostPort peer, std::uint16_t port) : peer_(std::move(peer)), port_(port) {}

  // True once the other end has closed its side or the connection is broken. Never blocks; false
  // within the patience and where the socket is not found.
  bool HungUp();

 private:
  const HostPort peer_;
  const std::uint16_t port_;
  const std::int64_t began_ns_ = SystemClock().SteadyNs();
  bool searched_ = false;
  std::optional<int> socket_;  // Not owned.
};

inline constexpr std::int64_t kHangUpPatienceNs =
    50'000'000;  // A quick answer is not worth the search.

}  // namespace atalaya
