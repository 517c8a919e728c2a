#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "bench/meter/client.h"

namespace atalaya::bench {

// The `least` of a publisher whose window is large enough for it.
inline std::int64_t LeastOf(std::int64_t window) { return window > 64 ? 16 : 1; }

// A publisher that sends the same block of packets again and again, as far as a window lets it.
class Stream {
 public:
  // `block` holds whole packets, all of `packet_bytes`; `client` is non-blocking and outlives this.
  Stream(Client* client, std::string block, std::size_t packet_bytes);

  // Sends on until `limit` messages have left in all, or the kernel takes no more; nothing while
  // there is room for fewer than `least`, as a system call for one message costs what one for many
  // does.
  void SendUpTo(std::int64_t limit, std::int64_t least);

  std::int64_t sent() const { return sent_bytes_ / packet_bytes_; }

 private:
  Client* client_;
  std::string block_;
  std::int64_t packet_bytes_;
  std::int64_t sent_bytes_ = 0;
};

// What subscribers receive, in whole messages of one size.
class Drain {
 public:
  explicit Drain(std::size_t message_bytes);

  void Add(Client* client);  // Non-blocking, outlives this.

  // Reads what is there; waits at most 1 ms where nothing is.
  void Read();

  std::int64_t received() const { return total_bytes_ / message_bytes_; }            // By all.
  std::int64_t received(std::size_t i) const { return bytes_[i] / message_bytes_; }  // By the i-th.
  bool whole() const { return total_bytes_ % message_bytes_ == 0; }

 private:
  std::int64_t message_bytes_;
  UniqueFd epoll_;
  std::vector<Client*> clients_;
  std::vector<std::int64_t> bytes_;
  std::int64_t total_bytes_ = 0;
  std::string buffer_;
};

}  // namespace atalaya::bench
