#include "exporter/baton.h"

#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <thread>

#include "base/check.h"
#include "base/clock.h"

namespace atalaya::exporter {
namespace {

constexpr std::chrono::nanoseconds kSoon{1'000'000};

}  // namespace

std::shared_ptr<Baton> Baton::Create() { return std::shared_ptr<Baton>(new Baton()); }

Baton::Baton() : timer_(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC)) { ATALAYA_CHECK(timer_); }

Baton::~Baton() = default;

void Baton::Start(Work work) {
  const std::lock_guard lock(mutex_);
  work_ = std::move(work);
  carrying_ = true;
  StartThread();
  std::thread([self = shared_from_this()] { self->StandBy(); }).detach();
}

void Baton::StartThread() {
  const std::uint64_t id = ++holder_;
  std::thread([self = shared_from_this(), id] { self->Carry(id); }).detach();
}

void Baton::Carry(std::uint64_t id) {
  std::unique_lock lock(mutex_);
  // A copy: should this thread be left behind, what it looks at outlives the work.
  const std::function<void()> turn = work_.turn;
  while (holder_ == id && !stopping()) turn();
  if (holder_ != id) return;
  carrying_ = false;
  ended_.notify_all();
}

void Baton::Stop(std::chrono::milliseconds patience, const std::function<void()>& wake_up) {
  stopping_ = true;
  wake_up();
  // Where the turn itself is stuck, with the mutex, there is nothing to wait for in the end.
  std::unique_lock lock(mutex_, patience);
  if (!lock) return;
  ended_.wait_for(lock, patience, [&] { return !carrying_; });
  SetTimer(kSoon);  // So that the thread on stand-by sees the end.
  if (!carrying_) work_ = Work();
}

void Baton::SetTimer(std::chrono::nanoseconds after) {
  itimerspec when{};
  when.it_value.tv_sec = static_cast<time_t>(after.count() / 1'000'000'000);
  when.it_value.tv_nsec = static_cast<long>(after.count() % 1'000'000'000);
  timerfd_settime(timer_.get(), 0, &when, nullptr);
}

void Baton::Watch(std::chrono::nanoseconds step_limit) {
  step_limit_ = step_limit;
  SetTimer(step_limit);
}

void Baton::EndWatch() {
  step_limit_ = std::chrono::nanoseconds(0);
  SetTimer(std::chrono::nanoseconds(0));
}

bool Baton::Try(const std::function<void()>& step) {
  const std::uint64_t id = holder_;
  step_since_ns_ = SystemClock().SteadyNs();
  mutex_.unlock();
  step();
  mutex_.lock();
  if (holder_ != id) return false;
  step_since_ns_ = 0;
  return true;
}

// The second thread: sleeps until a step may be overdue.
void Baton::StandBy() {
  while (true) {
    std::uint64_t expirations = 0;
    if (read(timer_.get(), &expirations, sizeof expirations) < 0) continue;
    const std::lock_guard lock(mutex_);
    if (stopping()) return;
    if (step_limit_.count() == 0) continue;
    const std::chrono::nanoseconds taken(
        step_since_ns_ == 0 ? 0 : SystemClock().SteadyNs() - step_since_ns_);
    if (step_since_ns_ != 0 && taken >= step_limit_) {
      step_since_ns_ = 0;
      work_.overdue();
      StartThread();
      SetTimer(step_limit_);
    } else {
      SetTimer(std::max(step_limit_ - taken, kSoon));
    }
  }
}

}  // namespace atalaya::exporter
