#include "base/event_loop.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <cerrno>
#include <limits>

#include "base/check.h"
#include "base/clock.h"

namespace atalaya {
namespace {

constexpr int kEventsPerTurn = 256;
constexpr int kLongestWaitMs = 60'000;
constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();

Status Control(int epoll, int operation, int fd, std::uint32_t events, IoHandler* handler) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = handler;
  if (epoll_ctl(epoll, operation, fd, &event) != 0) {
    return Fail(ErrorCode::kIo, "epoll_ctl on descriptor {}: {}", fd, ErrnoText(errno));
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<EventLoop>> EventLoop::Create() {
  UniqueFd epoll(epoll_create1(EPOLL_CLOEXEC));
  if (!epoll) return Fail(ErrorCode::kIo, "epoll_create1: {}", ErrnoText(errno));
  UniqueFd wake(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  if (!wake) return Fail(ErrorCode::kIo, "eventfd: {}", ErrnoText(errno));
  if (Status added = Control(epoll.get(), EPOLL_CTL_ADD, wake.get(), EPOLLIN, nullptr); !added) {
    return Forward(added.error());
  }
  return std::unique_ptr<EventLoop>(new EventLoop(std::move(epoll), std::move(wake)));
}

EventLoop::EventLoop(UniqueFd epoll, UniqueFd wake)
    : epoll_(std::move(epoll)), wake_(std::move(wake)) {
  turn_start_ns_ = SystemClock().SteadyNs();
}

EventLoop::~EventLoop() = default;

Status EventLoop::Add(int fd, std::uint32_t epoll_events, IoHandler* handler) {
  ATALAYA_CHECK(handler != nullptr);
  return Control(epoll_.get(), EPOLL_CTL_ADD, fd, epoll_events, handler);
}

Status EventLoop::Modify(int fd, std::uint32_t epoll_events, IoHandler* handler) {
  return Control(epoll_.get(), EPOLL_CTL_MOD, fd, epoll_events, handler);
}

void EventLoop::Remove(int fd, IoHandler* handler) {
  epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
  removed_.push_back(handler);
}

TimerId EventLoop::RunAfter(std::chrono::nanoseconds delay, std::function<void()> callback) {
  const TimerId id = next_timer_++;
  timers_.push_back({SystemClock().SteadyNs() + delay.count(), id, std::move(callback)});
  std::push_heap(timers_.begin(), timers_.end(), Later());
  live_timers_.insert(id);
  return id;
}

void EventLoop::CancelTimer(TimerId id) {
  live_timers_.erase(id);
  // A cancelled timer stays in the heap until it is due; when most are such, the heap is made anew.
  if (timers_.size() > 64 && timers_.size() > 2 * live_timers_.size()) {
    std::erase_if(timers_, [this](const Timer& timer) { return !live_timers_.contains(timer.id); });
    std::make_heap(timers_.begin(), timers_.end(), Later());
  }
}

void EventLoop::Post(std::function<void()> callback) {
  bool was_empty = false;
  {
    const std::lock_guard lock(posted_mutex_);
    was_empty = posted_.empty();
    posted_.push_back(std::move(callback));
  }
  if (was_empty) eventfd_write(wake_.get(), 1);
}

void EventLoop::Stop() {
  Post([this] { stopping_ = true; });
}

EventLoop::Borrowed::Borrowed(EventLoop* loop, std::int64_t now_ns)
    : loop_(loop), lock_(loop->turn_mutex_, std::try_to_lock) {
  if (lock_ && !loop->running_) lock_.unlock();
  if (lock_) loop->turn_start_ns_ = std::max(loop->turn_start_ns_, now_ns);
}

EventLoop::Borrowed::~Borrowed() {
  if (!lock_) return;
  const std::vector<Timer>& timers = loop_->timers_;
  if (!timers.empty() && timers.front().due_ns < loop_->wakes_for_ns_) {
    eventfd_write(loop_->wake_.get(), 1);  // A timer was set meanwhile, earlier than the others.
  }
}

int EventLoop::WaitMs(std::int64_t now_ns) const {
  if (timers_.empty()) return kLongestWaitMs;
  const std::int64_t wait_ns = timers_.front().due_ns - now_ns;
  if (wait_ns <= 0) return 0;
  return static_cast<int>(std::min<std::int64_t>((wait_ns + 999'999) / 1'000'000, kLongestWaitMs));
}

void EventLoop::RunDueTimers() {
  // Only those that were due when the turn began: a timer that arms itself with 0 must not starve
  // the descriptors.
  while (!timers_.empty() && timers_.front().due_ns <= turn_start_ns_) {
    std::pop_heap(timers_.begin(), timers_.end(), Later());
    Timer timer = std::move(timers_.back());
    timers_.pop_back();
    if (live_timers_.erase(timer.id) != 0) timer.callback();
  }
}

void EventLoop::RunPosted() {
  std::vector<std::function<void()>> posted;
  {
    const std::lock_guard lock(posted_mutex_);
    posted.swap(posted_);
  }
  for (const std::function<void()>& callback : posted) callback();
}

void EventLoop::Turn(const epoll_event* events, int count) {
  bool woken = false;
  for (int i = 0; i < count; ++i) {
    auto* handler = static_cast<IoHandler*>(events[i].data.ptr);
    if (handler == nullptr) {
      woken = true;
      continue;
    }
    if (!removed_.empty() && std::find(removed_.begin(), removed_.end(), handler) != removed_.end())
      continue;
    handler->OnIo(events[i].events);
  }
  RunDueTimers();
  if (woken) {
    eventfd_t ignored = 0;
    eventfd_read(wake_.get(), &ignored);
    RunPosted();
  }
  if (turn_end_) turn_end_();
  removed_.clear();
}

void EventLoop::Run() {
  epoll_event events[kEventsPerTurn];
  std::unique_lock turn(turn_mutex_);
  stopping_ = false;
  running_ = true;
  while (!stopping_) {
    const std::int64_t now_ns = SystemClock().SteadyNs();
    const int wait_ms = WaitMs(now_ns);
    wakes_for_ns_ = timers_.empty() ? kNever : timers_.front().due_ns;
    turn.unlock();
    const int count = epoll_wait(epoll_.get(), events, kEventsPerTurn, wait_ms);
    turn.lock();
    turn_start_ns_ = SystemClock().SteadyNs();
    Turn(events, count);
  }
  running_ = false;
}

}  // namespace atalaya
