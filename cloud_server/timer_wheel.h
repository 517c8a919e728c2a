#pragma once

#include <array>
#include <cstdint>

namespace atalaya::cloud_server {

// Coarse deadlines of many things, each set and cleared in constant time without allocation. An
// entry is a base class of what waits; it must be cancelled before it is destroyed. Threads: the
// loop's own.
class TimerWheel {
 public:
  struct Entry {
    Entry* previous = nullptr;
    Entry* next = nullptr;
    std::int64_t due_tick = 0;
  };

  TimerWheel() {
    for (Entry& slot : slots_) slot.previous = slot.next = &slot;
  }
  TimerWheel(const TimerWheel&) = delete;
  TimerWheel& operator=(const TimerWheel&) = delete;

  // (Re)schedules `entry`; one that is due already comes with the next Advance.
  void Schedule(Entry* entry, std::int64_t due_tick) {
    Cancel(entry);
    entry->due_tick = due_tick > now_tick_ ? due_tick : now_tick_ + 1;
    const std::int64_t horizon = now_tick_ + kSlots - 1;
    Entry& slot = SlotOf(entry->due_tick < horizon ? entry->due_tick : horizon);
    entry->previous = slot.previous;
    entry->next = &slot;
    entry->previous->next = entry;
    slot.previous = entry;
  }

  void Cancel(Entry* entry) {
    if (entry->next == nullptr) return;
    entry->previous->next = entry->next;
    entry->next->previous = entry->previous;
    entry->previous = entry->next = nullptr;
  }

  // Moves the time on to `tick` and calls due(entry) for each that it passes; `due` may schedule
  // and cancel any.
  template <typename Due>
  void Advance(std::int64_t tick, const Due& due) {
    if (tick - now_tick_ > kSlots) now_tick_ = tick - kSlots;  // Every slot is passed once.
    while (now_tick_ < tick) {
      ++now_tick_;
      Entry passed;
      TakeAll(&SlotOf(now_tick_), &passed);
      while (passed.next != &passed) {
        Entry* entry = passed.next;
        Cancel(entry);
        if (entry->due_tick > now_tick_) {
          Schedule(entry, entry->due_tick);
        } else {
          due(entry);
        }
      }
    }
  }

  std::int64_t now_tick() const { return now_tick_; }

 private:
  static constexpr std::int64_t kSlots = 512;

  Entry& SlotOf(std::int64_t tick) { return slots_[static_cast<std::size_t>(tick % kSlots)]; }

  static void TakeAll(Entry* slot, Entry* into) {
    if (slot->next == slot) {
      into->previous = into->next = into;
      return;
    }
    *into = *slot;
    into->next->previous = into;
    into->previous->next = into;
    slot->previous = slot->next = slot;
  }

  std::array<Entry, kSlots> slots_;
  std::int64_t now_tick_ = 0;
};

}  // namespace atalaya::cloud_server
