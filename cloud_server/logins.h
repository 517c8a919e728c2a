#pragma once

#include <array>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <vector>

#include "cloud_server/password_file.h"

namespace atalaya::cloud_server {

// A password file in use. A password that was right is remembered, as a hash under a key that only
// this process has, so that a client that comes back costs microseconds. Threads: any.
class Passwords {
 public:
  explicit Passwords(PasswordFile file);

  // Whether this password was found right before. Quick.
  bool Remembers(std::string_view user, std::string_view password) const;

  // Whether it is right. Blocks for a hash of some 20 ms, also where there is no such user, so that
  // nobody learns who there is.
  bool Verify(std::string_view user, std::string_view password);

  // Whether `user` has the same password here as in `other`: what lets a client stay on a reload.
  bool SameUser(const Passwords& other, std::string_view user) const;

 private:
  using Digest = std::array<unsigned char, 32>;
  Digest DigestOf(std::string_view user, std::string_view password) const;

  const PasswordFile file_;
  std::string nobody_;  // A hash that is verified for users that do not exist.
  mutable std::mutex mutex_;
  std::unordered_map<std::string, Digest> known_;  // By user: at most as many as the file has.
};

inline constexpr std::size_t kMaxWaitingLogins = 256;  // Some 6 s of work for one thread.

// Threads that look passwords up, so that no event loop does. They are nicer than the loops are, so
// a storm of logins slows logins only. Threads: any.
class LoginPool {
 public:
  struct Login {
    std::shared_ptr<Passwords> passwords;
    std::string user;
    std::string password;            // Wiped when the login is done.
    std::function<void(bool)> done;  // Called on a thread of the pool; must not block.
  };

  explicit LoginPool(std::size_t threads) : threads_wanted_(threads) {}
  ~LoginPool();  // What still waits is dropped without a call.
  LoginPool(const LoginPool&) = delete;
  LoginPool& operator=(const LoginPool&) = delete;

  // False where kMaxWaitingLogins wait already. The threads start with the first login.
  bool Submit(Login login);

 private:
  void Work();

  const std::size_t threads_wanted_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Login> waiting_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace atalaya::cloud_server
