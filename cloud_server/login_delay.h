#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/clock.h"

namespace atalaya::cloud_server {

// After kFreeLoginFailures wrong passwords from one address, its logins are looked at one at a
// time, with a pause between them that starts at kFirstLoginPause, doubles with each further
// failure and ends at kLongestLoginPause. A login that would have to wait longer than
// kLongestLoginWait is refused unseen. An address without a failure for kLoginFailuresFade starts
// anew.
inline constexpr std::uint32_t kFreeLoginFailures = 3;
inline constexpr std::chrono::milliseconds kFirstLoginPause{250};
inline constexpr std::chrono::milliseconds kLongestLoginPause{8'000};
inline constexpr std::chrono::milliseconds kLongestLoginWait{8'000};
inline constexpr std::chrono::minutes kLoginFailuresFade{10};
inline constexpr std::size_t kMaxSlowedAddresses = 4096;  // Beyond it the longest quiet one goes.

// Who has failed to log in of late, by address. Threads: any.
class LoginDelays {
 public:
  explicit LoginDelays(const Clock& clock) : clock_(clock) {}

  // How long a login from `address` has to wait before its password is looked at; its turn is then
  // taken. Empty: too many wait already.
  std::optional<std::chrono::nanoseconds> TakeTurn(std::string_view address);

  void NoteFailure(std::string_view address);

  std::size_t size() const;

 private:
  struct Failures {
    std::uint32_t count = 0;
    std::int64_t last_ns = 0;
    std::int64_t next_turn_ns = 0;
  };
  void MakeRoom();

  const Clock& clock_;
  mutable std::mutex mutex_;
  std::unordered_map<std::string, Failures> failures_;
};

// What stands for a host in these tables: an IPv4 address, or the first 64 bits of an IPv6 one, as
// a host has all addresses behind them. `host` is numeric.
std::string AddressKey(const std::string& host);

}  // namespace atalaya::cloud_server
