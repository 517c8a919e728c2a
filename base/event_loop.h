#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <unordered_set>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

struct epoll_event;

namespace atalaya {

// What an EventLoop tells of a descriptor. The handler must outlive its registration.
class IoHandler {
 public:
  virtual ~IoHandler() = default;
  virtual void OnIo(std::uint32_t epoll_events) = 0;
};

using TimerId = std::uint64_t;  // Never 0.

// One epoll instance and one thread. Handlers, timers and posted functions all run on the thread
// that called Run.
//
// Threads: Post and Stop from any; everything else from the loop's thread (or before Run). Nothing
// here blocks but Run.
class EventLoop {
 public:
  static Result<std::unique_ptr<EventLoop>> Create();
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  // `epoll_events` as epoll_ctl takes them (EPOLLIN, EPOLLET, EPOLLEXCLUSIVE ...). kIo where the
  // kernel refuses.
  Status Add(int fd, std::uint32_t epoll_events, IoHandler* handler);
  Status Modify(int fd, std::uint32_t epoll_events, IoHandler* handler);

  // Ends the registration; no event of this turn, or of the next where nothing is in one, reaches
  // `handler` any more, so it may be destroyed at once.
  void Remove(int fd, IoHandler* handler);

  // Calls `callback` once after `delay` (0: in the next turn). O(log n).
  TimerId RunAfter(std::chrono::nanoseconds delay, std::function<void()> callback);
  void CancelTimer(TimerId id);  // An id that has run or is unknown is ignored.

  // Calls `callback` on the loop's thread, in order of posting. What is posted after the loop ended
  // is destroyed with it.
  void Post(std::function<void()> callback);

  // Called at the end of every turn, after all events, timers and posts: the place to flush what a
  // turn has gathered.
  void SetTurnEnd(std::function<void()> callback) { turn_end_ = std::move(callback); }

  // The loop's place while it is between two turns: who holds one may do, on a thread of its own,
  // what only the loop's thread may; the loop's next turn waits for its end. Empty where the loop
  // is in a turn or does not run. Any thread may ask, but not one that holds this loop's place or
  // is its own. Never blocks. Saves waking the loop's thread for a little work.
  class Borrowed {
   public:
    ~Borrowed();
    Borrowed(const Borrowed&) = delete;
    Borrowed& operator=(const Borrowed&) = delete;
    explicit operator bool() const { return lock_.owns_lock(); }

   private:
    friend class EventLoop;
    Borrowed(EventLoop* loop, std::int64_t now_ns);
    EventLoop* loop_;
    std::unique_lock<std::mutex> lock_;
  };
  Borrowed TryBorrow(std::int64_t now_ns) { return Borrowed(this, now_ns); }  // Steady clock.

  void Run();   // Returns after Stop.
  void Stop();  // Async-signal-unsafe; use a StopSignal.

  std::int64_t turn_start_ns() const { return turn_start_ns_; }  // Steady clock, read once a turn.

 private:
  struct Timer {
    std::int64_t due_ns;
    TimerId id;
    std::function<void()> callback;
  };
  struct Later {
    bool operator()(const Timer& a, const Timer& b) const {
      return a.due_ns != b.due_ns ? a.due_ns > b.due_ns : a.id > b.id;
    }
  };

  EventLoop(UniqueFd epoll, UniqueFd wake);
  int WaitMs(std::int64_t now_ns) const;
  void Turn(const epoll_event* events, int count);
  void RunDueTimers();
  void RunPosted();

  UniqueFd epoll_;
  UniqueFd wake_;
  std::int64_t turn_start_ns_ = 0;
  std::vector<Timer> timers_;  // A heap by Later.
  std::unordered_set<TimerId> live_timers_;
  TimerId next_timer_ = 1;
  std::vector<IoHandler*> removed_;  // Since the last turn ended.
  std::function<void()> turn_end_;
  bool stopping_ = false;
  std::mutex turn_mutex_;  // Held in a turn, and by who borrows; guards all but what is posted.
  bool running_ = false;
  std::int64_t wakes_for_ns_ = 0;  // The first timer when the loop went to sleep.
  std::mutex posted_mutex_;
  std::vector<std::function<void()>> posted_;
};

}  // namespace atalaya
