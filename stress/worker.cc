#include "stress/worker.h"

#include <sys/epoll.h>
#include <sys/timerfd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>

#include "base/check.h"
#include "base/clock.h"

namespace atalaya::stress {
namespace {

constexpr int kEventsPerTurn = 256;
constexpr std::size_t kReadBytes = 256u << 10;
constexpr std::int64_t kLongestWaitNs = 20'000'000;  // A stop or command is noticed within it.
constexpr std::int64_t kStartWaitNs = 5'000'000;
constexpr std::uint64_t kTimerSlot = ~std::uint64_t{0};

std::int64_t ThreadCpuNs() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

}  // namespace

std::int64_t SteadyNow() { return SystemClock().SteadyNs(); }

std::int64_t NextLookNs(std::int64_t now_ns) {
  return (now_ns / kLongestWaitNs + 1) * kLongestWaitNs;
}

Result<std::unique_ptr<Worker>> Worker::Create(const LoadPlan* plan, std::size_t index,
                                               RunControl* control) {
  UniqueFd epoll(epoll_create1(EPOLL_CLOEXEC));
  if (!epoll) return Fail(ErrorCode::kIo, "epoll_create1: {}", ErrnoText(errno));
  UniqueFd timer(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC));
  if (!timer) return Fail(ErrorCode::kIo, "timerfd_create: {}", ErrnoText(errno));
  epoll_event event{};
  event.events = EPOLLIN | EPOLLET;  // Each expiry is an edge, so that nobody has to read it.
  event.data.u64 = kTimerSlot;
  if (epoll_ctl(epoll.get(), EPOLL_CTL_ADD, timer.get(), &event) != 0) {
    return Fail(ErrorCode::kIo, "epoll_ctl: {}", ErrnoText(errno));
  }
  return std::unique_ptr<Worker>(
      new Worker(plan, index, control, std::move(epoll), std::move(timer)));
}

Worker::Worker(const LoadPlan* plan, std::size_t index, RunControl* control, UniqueFd epoll,
               UniqueFd timer)
    : plan_(plan),
      index_(index),
      control_(control),
      epoll_(std::move(epoll)),
      timer_(std::move(timer)),
      members_(plan->roster().MembersOf(index)),
      slots_(members_.size()),
      sender_(plan, &tally_),
      receiver_(plan, &tally_) {
  for (std::size_t slot = 0; slot < slots_.size(); ++slot) {
    slots_[slot].connection = Connection(static_cast<std::uint32_t>(slot));
    if (RoleOf(slot) == Role::kSubscriber) receiver_.Add(members_[slot]);
    if (RoleOf(slot) == Role::kPublisher) {
      if (sender_.size() == 0) first_publisher_ = slot;
      sender_.Add(members_[slot], &slots_[slot].connection);
    }
  }
  sender_.Begin();
  scratch_.resize(std::max(kReadBytes, 2 * plan->max_packet_bytes()));
  tally_.all.phases.resize(plan->scenario().phases.size());
  tally_.all.wanted = slots_.size();
}

void Worker::Run() {
  ConnectAll();
  control_->decided.fetch_add(1);
  BeginLoad();
  Load();
  Drain();
  control_->board.Leave(index_);
  control_->ended.fetch_add(1);
}

void Worker::BeginLoad() {
  while (control_->start_ns.load() == 0) Turn(SteadyNow() + kStartWaitNs);
  start_ns_ = control_->start_ns.load();
  end_ns_ = plan_->duration_ns();
  for (std::size_t slot = 0; slot < slots_.size(); ++slot) {
    if (!slots_[slot].connection.ready()) continue;
    ++tally_.all.connected;
    if (RoleOf(slot) == Role::kSubscriber) receiver_.TakesPart(slot);
  }
  loading_ = true;
  tally_.interval = IntervalFigures();
  interval_start_cpu_ns_ = ThreadCpuNs();
}

void Worker::Load() {
  const std::int64_t cpu_before_ns = ThreadCpuNs();
  const bool comes_back = plan_->scenario().reconnect_after.count() > 0;
  std::int64_t now_ns = SteadyNow();
  if (plan_->closed() && now_ns < start_ns_) Turn(start_ns_);
  for (std::size_t i = 0; plan_->closed() && i < sender_.size(); ++i) {
    FlushPublisher(SlotOfPublisher(i));
  }
  while (true) {
    if (const std::int64_t stop_ns = control_->stop_ns.load(); stop_ns != 0) {
      end_ns_ = std::clamp<std::int64_t>(stop_ns - start_ns_, 0, end_ns_);
    }
    const bool all_lost =
        sender_.size() > 0 ? live_publishers_ == 0 : control_->ready_connections.load() == 0;
    if (all_lost && !comes_back) {
      end_ns_ = std::clamp<std::int64_t>(now_ns - start_ns_, 0, end_ns_);
    }
    sender_.SetEnd(end_ns_);
    Obey();
    Reopen(now_ns);
    KeepAlive(now_ns);
    CloseIntervals(std::min(now_ns, start_ns_ + end_ns_ - 1));
    sender_.TakeDue(start_ns_, now_ns - start_ns_);
    const std::int64_t due_ns = sender_.NextDueNs();
    if (now_ns >= start_ns_ + end_ns_ && due_ns >= end_ns_) break;
    const std::int64_t boundary_ns =
        std::min(static_cast<std::int64_t>(intervals_put_ + 1) * kIntervalNs, end_ns_);
    Turn(std::min(
        {start_ns_ + std::min(due_ns, end_ns_), start_ns_ + boundary_ns, NextLookNs(now_ns)}));
    now_ns = SteadyNow();
  }
  CloseIntervals(now_ns);  // The last one waited for the messages that were sent late.
  tally_.all.load_cpu_ns = ThreadCpuNs() - cpu_before_ns;
  tally_.all.load_wall_ns = std::max<std::int64_t>(now_ns - start_ns_, 0);
}

void Worker::FlushPublisher(std::size_t slot) {
  sender_.Flush(PublisherAt(slot), start_ns_);
  Book(slot);
}

void Worker::Obey() {
  while (commands_done_ < control_->commands.size()) {
    Obey(control_->commands.At(commands_done_++));
  }
}

void Worker::Obey(Command command) {
  switch (command) {
    case Command::kOpenFaultWindow:
      if (faults_open_++ == 0) sender_.OpenFaultWindow();
      return;
    case Command::kCloseFaultWindow:
      if (--faults_open_ == 0) sender_.CloseFaultWindow();
      return;
    case Command::kResetAll:
      for (std::size_t slot = 0; slot < slots_.size(); ++slot) {
        if (!slots_[slot].connection.ready()) continue;
        slots_[slot].connection.Reset();
        Book(slot);
        reopening_.push_front({0, static_cast<std::uint32_t>(slot)});
      }
      return;
    case Command::kSendAway:
    case Command::kCallBack:
      away_ = command == Command::kSendAway;
      for (std::size_t slot = 0; slot < receiver_.size(); ++slot) {
        if (away_) slots_[slot].connection.Close(plan_->scenario().version);
        if (!away_) reopening_.push_front({0, static_cast<std::uint32_t>(slot)});
        Book(slot);
      }
      return;
  }
}

void Worker::Drain() {
  control_->expected_deliveries.fetch_add(sender_.ExpectedDeliveries());
  control_->loads_ended.fetch_add(1);
  for (std::size_t slot = 0; slot < slots_.size(); ++slot) {
    slots_[slot].connection.Ping();
    Book(slot);
  }
  const std::int64_t limit_ns = SteadyNow() + plan_->limits().drain.count();
  last_arrival_ns_ = SteadyNow();
  while (true) {
    const std::int64_t now_ns = SteadyNow();
    control_->received_deliveries.fetch_add(
        receiver_.received() - std::exchange(reported_received_, receiver_.received()));
    Obey();
    Reopen(now_ns);
    if (now_ns >= limit_ns || Drained(now_ns)) break;
    Turn(std::min(limit_ns, NextLookNs(now_ns)));
  }
  EndDrain();
}

bool Worker::Drained(std::int64_t now_ns) const {
  if (control_->loads_ended.load() < plan_->workers()) return false;
  if (control_->stop_ns.load() == 0 && (!reopening_.empty() || opening_count_ > 0)) return false;
  for (const Slot& slot : slots_) {
    if (slot.connection.ready() && !slot.connection.ping_answered()) return false;
  }
  for (std::size_t i = 0; i < sender_.size(); ++i) {
    if (!sender_.Drained(i)) return false;
  }
  return control_->received_deliveries.load() >= control_->expected_deliveries.load() ||
         now_ns - last_arrival_ns_ >= plan_->limits().drain_quiet.count();
}

void Worker::EndDrain() {
  loading_ = false;
  for (std::size_t slot = 0; slot < slots_.size(); ++slot) {
    Connection& connection = slots_[slot].connection;
    if (connection.ready() && !connection.ping_answered()) {
      connection.FailAs(FailureClass::kHang, "no answer to a PINGREQ after the load");
    }
    Book(slot);
    if (connection.state() != Connection::State::kClosed) {
      connection.Close(plan_->scenario().version);
    }
  }
  PutInterval();
}

// A timer that is armed for the time asked for has not fired yet where that time is still to come.
void Worker::ArmTimer(std::int64_t wake_ns) {
  if (wake_ns == armed_ns_) return;
  itimerspec when{};
  when.it_value.tv_sec = wake_ns / 1'000'000'000;
  when.it_value.tv_nsec = wake_ns % 1'000'000'000;
  ATALAYA_CHECK(timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &when, nullptr) == 0);
  armed_ns_ = wake_ns;
}

void Worker::Turn(std::int64_t wake_ns) {
  int timeout_ms = 0;
  if (wake_ns > SteadyNow()) {
    ArmTimer(wake_ns);
    timeout_ms = -1;
  }
  epoll_event events[kEventsPerTurn];
  const int count = epoll_wait(epoll_.get(), events, kEventsPerTurn, timeout_ms);
  for (int i = 0; i < count; ++i) {
    if (events[i].data.u64 != kTimerSlot) OnEvent(events[i].data.u64, events[i].events);
  }
}

void Worker::OnEvent(std::size_t slot, std::uint32_t events) {
  Connection& connection = slots_[slot].connection;
  if (connection.state() == Connection::State::kClosed) return;
  connection.OnIo(plan_->peer(), events, scratch_, plan_->max_packet_bytes(), this);
  if (!answers_.empty()) {
    connection.Send(answers_);
    answers_.clear();
  }
  Book(slot);
  // What a read has let go leaves in one call.
  while (const std::optional<std::size_t> freed = sender_.TakeFreed()) {
    FlushPublisher(SlotOfPublisher(*freed));
  }
  if (loading_ && RoleOf(slot) == Role::kPublisher && sender_.HasWork(PublisherAt(slot))) {
    FlushPublisher(slot);
  }
}

bool Worker::OnPacket(Connection* connection, const mqtt::Frame& frame, std::int64_t now_ns) {
  const std::size_t slot = connection->slot();
  if (RoleOf(slot) == Role::kPublisher) {
    return sender_.OnPacket(PublisherAt(slot), frame, &answers_);
  }
  if (RoleOf(slot) == Role::kIdle) return false;
  last_arrival_ns_ = now_ns;
  const Receiver::Arrival arrival = receiver_.OnPacket(slot, frame, now_ns - start_ns_, &answers_);
  if (arrival.first_copy && plan_->closed() && plan_->wire(members_[slot].flow).qos == 0) {
    sender_.OnReceipt(members_[slot].flow, arrival.publisher);
  }
  return arrival.in_place;
}

void Worker::CloseIntervals(std::int64_t now_ns) {
  const std::int64_t load_now_ns = now_ns - start_ns_;
  while (true) {
    const std::int64_t begin_ns = static_cast<std::int64_t>(intervals_put_) * kIntervalNs;
    if (begin_ns >= end_ns_ || std::min(begin_ns + kIntervalNs, end_ns_) > load_now_ns) return;
    PutInterval();
    sender_.MarkSecond();
  }
}

void Worker::PutInterval() {
  const std::int64_t cpu_ns = ThreadCpuNs();
  tally_.interval.cpu_ns = cpu_ns - interval_start_cpu_ns_;
  interval_start_cpu_ns_ = cpu_ns;
  const std::int64_t begin_ns = static_cast<std::int64_t>(intervals_put_) * kIntervalNs;
  tally_.interval.load_ns = std::clamp<std::int64_t>(end_ns_ - begin_ns, 0, kIntervalNs);
  control_->board.Put(index_, tally_.interval);
  ++intervals_put_;
  tally_.interval = IntervalFigures();
}

}  // namespace atalaya::stress
