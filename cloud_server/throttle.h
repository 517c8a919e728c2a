#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "cloud_server/limits.h"

namespace atalaya::cloud_server {

// Parked packets from which on nothing more is read from their client.
inline constexpr std::size_t kParkedBytes = 256u << 10;

// What one client may publish, while the server has a rate for clients, and the packets of it that
// wait for their turn: PUBLISHes that came too early or while memory is short, and what must not
// overtake them. Acknowledgements do overtake them; but where memory is short in the middle of a
// large packet, all behind it waits. Threads: the connection's loop.
class Throttle {
 public:
  explicit Throttle(const Limits& limits, std::int64_t now_ns);

  // Whether one more PUBLISH of `bytes` may go now; then it is paid for. A packet larger than the
  // bytes of a second goes when those are there, and the next waits the longer.
  bool Pay(std::size_t bytes, const Limits& limits, std::int64_t now_ns);

  std::string parked;
  std::int64_t parked_since_ns = 0;
  bool wants_memory = false;  // For the rest of an unfinished packet; nothing is read meanwhile.
  bool listed = false;        // In the loop's list of those to try again.
  bool releasing = false;     // `parked` is being taken up.
  bool peer_done = false;     // The client sends no more; the connection ends after what is parked.

 private:
  double packets_;
  double bytes_;
  std::int64_t filled_ns_;
};

}  // namespace atalaya::cloud_server
