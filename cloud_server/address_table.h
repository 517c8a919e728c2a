#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <unordered_map>

#include "cloud_server/limits.h"

namespace atalaya::cloud_server {

inline constexpr std::size_t kMaxAddresses = 65'536;  // Watched at once; further ones are let in.

// Who is connected from where, for the limits per address (login_delay.h says what an address is).
// Empty, and asked nothing, while there is no such limit. Threads: any.
class AddressTable {
 public:
  enum class Verdict : std::uint8_t { kAdmitted, kTooMany, kTooFast };

  // Whether one more connection may come from `address`; then it counts until Leave(fd).
  Verdict Admit(int fd, const std::string& address, const Limits& limits, std::int64_t now_ns);

  // Before `fd` is closed. One that was not admitted here is ignored.
  void Leave(int fd);

  std::size_t size() const;

 private:
  struct Address {
    std::uint64_t connections = 0;
    double tokens = 0;  // Connects it may make at once.
    std::int64_t filled_ns = 0;
  };
  void ForgetQuiet(std::int64_t now_ns);

  mutable std::mutex mutex_;
  std::unordered_map<std::string, Address> addresses_;
  std::unordered_map<int, std::string> by_fd_;
};

}  // namespace atalaya::cloud_server
