#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>

#include "base/clock.h"

namespace atalaya::alertd {

inline constexpr std::size_t kMaxSessions = 256;  // Beyond it the oldest one ends.
inline constexpr std::chrono::hours kSessionLifetime{24 * 7};

// Who has signed in with the token: browsers, by the secret in their cookie. In memory only, so
// that all end with the program. Threads: any.
class Sessions {
 public:
  explicit Sessions(const Clock& clock) : clock_(clock) {}

  std::string Open();  // A new secret.
  bool IsOpen(const std::string& secret);
  void Close(const std::string& secret);

 private:
  void EndOld();

  const Clock& clock_;
  std::mutex mutex_;
  std::map<std::string, std::int64_t> opened_ns_;  // By secret; steady clock.
};

}  // namespace atalaya::alertd
