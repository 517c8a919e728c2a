#pragma once

#include <cstddef>
#include <deque>
#include <functional>

namespace atalaya::alertd {

inline constexpr std::size_t kMaxCommands = 32;  // That run at once; further ones wait.

// Who may run a command now. Threads: one at a time.
class CommandSlots {
 public:
  // Calls `begin` at once, or when it is its turn. Give follows once for each.
  void Take(std::function<void()> begin) {
    if (taken_ == kMaxCommands) return waiting_.push_back(std::move(begin));
    ++taken_;
    begin();
  }
  void Give() {
    --taken_;
    if (waiting_.empty()) return;
    const std::function<void()> next = std::move(waiting_.front());
    waiting_.pop_front();
    Take(next);
  }

 private:
  std::size_t taken_ = 0;
  std::deque<std::function<void()>> waiting_;
};

}  // namespace atalaya::alertd
