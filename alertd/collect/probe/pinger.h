#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/event_loop.h"
#include "base/result.h"

namespace atalaya::alertd {

// Sends ICMP echo requests (RFC 792, RFC 4443) and tells of their replies, all through one socket
// for each family: an unprivileged one where net.ipv4.ping_group_range allows it, else a raw one.
// Threads: that of the loop.
class Pinger {
 public:
  explicit Pinger(EventLoop& loop);  // `loop` must outlive it.
  ~Pinger();
  Pinger(const Pinger&) = delete;
  Pinger& operator=(const Pinger&) = delete;

  // Sends one to `host` (in digits) and calls `answered` when its reply comes, which may be never.
  // Returns what Cancel takes. kRefused where neither socket is permitted, saying how to allow it;
  // kIo where the network does not take it.
  Result<std::uint64_t> Send(const std::string& host, std::function<void()> answered);
  void Cancel(std::uint64_t id);  // One that was answered is ignored.

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace atalaya::alertd
