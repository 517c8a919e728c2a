#include "cloud_server/loop.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <cerrno>
#include <utility>

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "cloud_server/memory_account.h"

namespace atalaya::cloud_server {
namespace {

using telemetry::Stat;

constexpr std::chrono::milliseconds kSysRetry{1'000};
constexpr int kAcceptsPerTurn = 64;

// The figure for `protocol`; `first` is that of mqtt.
Stat OfProtocol(Stat first, Protocol protocol) {
  return static_cast<Stat>(static_cast<std::size_t>(first) + static_cast<std::size_t>(protocol));
}

}  // namespace

// Takes connections from one listener, beside the acceptors of the other loops.
class Loop::Acceptor : public IoHandler {
 public:
  Acceptor(Loop* loop, const Listener* listener) : loop_(loop), listener_(listener) {}

  void OnIo(std::uint32_t) override {
    for (int i = 0; i < kAcceptsPerTurn; ++i) {
      UniqueFd accepted(accept4(fd(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
      if (accepted) {
        loop_->Accept(std::move(accepted), *listener_);
        continue;
      }
      if (errno == EMFILE || errno == ENFILE) RunOut();
      return;
    }
  }

  int fd() const { return listener_->fd(); }
  void Retry() {
    if (!std::exchange(paused_, false)) return;
    if (Status added = loop_->Listen(listener_); !added) LogError("{}", added.error().message);
  }
  bool paused() const { return paused_; }

 private:
  // Without descriptors the listener would stay readable and the loop would spin on it.
  void RunOut() {
    loop_->stats().Add(Stat::kRefusedConnectionLimit);
    LogWarning("no descriptors left for further connections: raise the limit of open files");
    loop_->events().Remove(fd(), this);
    paused_ = true;
  }

  Loop* loop_;
  const Listener* listener_;
  bool paused_ = false;
};

Result<std::unique_ptr<Loop>> Loop::Create(std::uint16_t index, Hub* hub,
                                           telemetry::StatsLoop* stats, const Limits& limits) {
  Result<std::unique_ptr<EventLoop>> events = EventLoop::Create();
  if (!events) return Forward(events.error());
  UniqueFd wake(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  if (!wake) return Fail(ErrorCode::kIo, "eventfd: {}", ErrnoText(errno));
  std::unique_ptr<Loop> loop(
      new Loop(index, hub, stats, limits, std::move(*events), std::move(wake)));
  if (Status added = loop->events_->Add(loop->wake_.get(), EPOLLIN, loop.get()); !added) {
    return Forward(added.error());
  }
  return loop;
}

Loop::Loop(std::uint16_t index, Hub* hub, telemetry::StatsLoop* stats, const Limits& limits,
           std::unique_ptr<EventLoop> events, UniqueFd wake)
    : index_(index),
      hub_(hub),
      stats_(stats),
      limits_(limits),
      access_(hub->access),
      has_acl_(access_->has_acl()),
      events_(std::move(events)),
      wake_(std::move(wake)),
      read_buffer_(2 * kReadBytes),
      routes_(&hub->subscriptions, index),
      log_(hub->durability.get()) {
  start_ns_ = events_->turn_start_ns();
  events_->SetTurnEnd([this] { OnTurnEnd(); });
}

Loop::~Loop() = default;

Status Loop::Listen(const Listener* listener) {
  const int fd = listener->fd();
  for (const auto& acceptor : acceptors_) {
    if (acceptor->fd() == fd) {
      return events_->Add(fd, EPOLLIN | EPOLLEXCLUSIVE, acceptor.get());
    }
  }
  acceptors_.push_back(std::make_unique<Acceptor>(this, listener));
  return events_->Add(fd, EPOLLIN | EPOLLEXCLUSIVE, acceptors_.back().get());
}

void Loop::Run() {
  outbound_.resize(hub_->loops.size());
  for (Outbound& outbound : outbound_) outbound.filling = std::make_unique<Batch>();
  OnTick();
  if (index_ == 0) OnSysTick();
  events_->Run();
  SettleMessageAccount();
}

void Loop::SetLimits(const Limits& limits) {
  events_->Post([this, limits] { limits_ = limits; });
}

void Loop::NoteReload(bool succeeded) {
  events_->Post([this, succeeded] {
    stats_->Set(Stat::kConfigReloadSuccessful, succeeded ? 1 : 0);
    if (!succeeded) return;
    const std::chrono::milliseconds now(SystemClock().NowMs());
    stats_->Set(Stat::kConfigReloadTime, std::chrono::nanoseconds(now).count());
  });
}

std::int64_t Loop::TickOf(std::int64_t steady_ns) const {
  return (steady_ns - start_ns_) / std::chrono::nanoseconds(kLoopTick).count();
}

void Loop::OnTick() {
  stats_->Beat(events_->turn_start_ns());
  wheel_.Advance(TickOf(events_->turn_start_ns()),
                 [](TimerWheel::Entry* entry) { static_cast<Connection*>(entry)->OnDeadline(); });
  session_wheel_.Advance(TickOf(events_->turn_start_ns()), [this](TimerWheel::Entry* entry) {
    OnSessionDue(static_cast<Session*>(entry));
  });
  if (index_ == 0) {
    const RetainedChange expired = hub_->retained.Expire(now_ns());
    stats_->Add(Stat::kRetainedMessages, expired.messages);
    stats_->Add(Stat::kRetainedBytes, expired.bytes);
  }
  for (const auto& acceptor : acceptors_) {
    if (!stop_reading_ && draining_ == nullptr) acceptor->Retry();
  }
  JournalTick();
  DrainSome();
  ShedSlowConsumer();
  CountLag();
  events_->RunAfter(kLoopTick, [this] { OnTick(); });
}

void Loop::OnSysTick() {
  if (limits_.sys_interval.count() > 0) {
    const Result<telemetry::StatsSnapshot> stats = telemetry::ReadStats(hub_->stats_file);
    if (stats) {
      for (const auto& [topic, value] : sys_topics_.Update(*stats, now_ns())) {
        PublishSys(topic, value);
      }
    }
  }
  const bool is_off = limits_.sys_interval.count() == 0;  // It may be turned on by a reload.
  events_->RunAfter(is_off ? kSysRetry : limits_.sys_interval, [this] { OnSysTick(); });
}

void Loop::Accept(UniqueFd fd, const Listener& listener) {
  stats_->Add(Stat::kConnectionsAccepted);
  if (hub_->connections.fetch_add(1, std::memory_order_relaxed) >= limits_.max_connections) {
    hub_->connections.fetch_sub(1, std::memory_order_relaxed);
    stats_->Add(Stat::kRefusedConnectionLimit);
    stats_->Add(Stat::kClosedRefused);
    return;
  }
  if (!Admit(fd.get())) {
    hub_->connections.fetch_sub(1, std::memory_order_relaxed);
    return;
  }
  stats_->Add(Stat::kConnections);
  stats_->Add(OfProtocol(Stat::kAcceptedMqtt, listener.protocol()));
  stats_->Add(OfProtocol(Stat::kConnectionsMqtt, listener.protocol()));
  std::unique_ptr<Transport> transport;
  const Status made = listener.MakeTransport(fd.get(), &transport);
  auto connection =
      std::make_unique<Connection>(this, std::move(fd), std::move(transport), listener.index());
  Connection* const added = connection.get();
  Adopt(std::move(connection));
  if (!made) {
    LogError("{}", made.error().message);
    added->Close(Stat::kClosedIoError);
  }
}

void Loop::Adopt(std::unique_ptr<Connection> owned) {
  Connection* connection = owned.get();
  connection->Adopt(this);
  connection->index = connections_.size();
  connections_.push_back(std::move(owned));
  const Status added = events_->Add(connection->fd(), EPOLLIN, connection);
  if (!added) return connection->Close(Stat::kClosedIoError);
  connection->ScheduleDeadline();
  if (stop_reading_) return connection->SetReading(false);
  connection->ProcessBuffered();
}

std::unique_ptr<Connection> Loop::TakeOut(Connection* connection) {
  events_->Remove(connection->fd(), connection);
  wheel_.Cancel(connection);
  ForgetHeld(connection);
  if (std::exchange(connection->reads_again, false)) std::erase(to_read_, connection);
  if (std::exchange(connection->dirty, false)) std::erase(dirty_, connection);
  std::unique_ptr<Connection> owned = std::move(connections_[connection->index]);
  if (connection->index + 1 < connections_.size()) {
    connections_[connection->index] = std::move(connections_.back());
    connections_[connection->index]->index = connection->index;
  }
  connections_.pop_back();
  return owned;
}

void Loop::HandOff(Connection* connection, std::uint16_t to) {
  std::unique_ptr<Connection> owned = TakeOut(connection);
  stats_->Add(Stat::kConnections, -1);
  Loop* const target = hub_->loops[to].get();
  if (const EventLoop::Borrowed borrowed = target->events_->TryBorrow(now_ns())) {
    target->TakeIn(std::move(owned));
    return target->FinishWork(false);
  }
  // A function that is posted must be copyable, hence the shared box.
  auto box = std::make_shared<std::unique_ptr<Connection>>(std::move(owned));
  target->events_->Post([target, box] { target->TakeIn(std::move(*box)); });
}

void Loop::TakeIn(std::unique_ptr<Connection> connection) {
  stats_->Add(Stat::kConnections);
  Adopt(std::move(connection));
}

void Loop::MarkDirty(Connection* connection) {
  if (connection->dirty) return;
  connection->dirty = true;
  dirty_.push_back(connection);
}

void Loop::ScheduleRead(Connection* connection) {
  if (connection->reads_again) return;
  connection->reads_again = true;
  if (to_read_.empty()) events_->RunAfter({}, [this] { ReadScheduled(); });
  to_read_.push_back(connection);
}

void Loop::ReadScheduled() {
  std::vector<Connection*> to_read;
  to_read.swap(to_read_);
  for (Connection* connection : to_read) connection->reads_again = false;
  for (Connection* connection : to_read) connection->ReadAgain();
}

void Loop::ScheduleClose(Connection* connection) { to_close_.push_back(connection); }

void Loop::FinishWork(bool may_help) {
  std::size_t sent = 0;
  while (!dirty_.empty() || !to_close_.empty()) {
    std::vector<Connection*> dirty;
    dirty.swap(dirty_);
    sent += dirty.size();
    for (Connection* connection : dirty) {
      connection->dirty = false;
      connection->Flush();
    }
    std::vector<Connection*> to_close;
    to_close.swap(to_close_);
    for (Connection* connection : to_close) CloseNow(connection);
  }
  CountDeliveries();
  SendBatches(may_help && sent <= kHelpConnections);
}

void Loop::OnTurnEnd() {
  FinishWork(true);
  if (end_by_ns_ != 0) MaybeEnd();
  SettleMemory();
  stats_->Add(Stat::kLoopBusyNs, SystemClock().SteadyNs() - events_->turn_start_ns());
}

void Loop::CloseNow(Connection* connection) {
  connection->Finish();  // A CONNACK or DISCONNECT that says why.
  stats_->Add(connection->close_reason());
  const Protocol protocol = hub_->listeners[connection->listener()]->protocol();
  stats_->Add(OfProtocol(Stat::kConnectionsMqtt, protocol), -1);
  Detach(connection);
  logins_.erase(connection);
  ForgetParked(connection);
  hub_->addresses.Leave(connection->fd());
  TakeOut(connection);
  stats_->Add(Stat::kConnections, -1);
  hub_->connections.fetch_sub(1, std::memory_order_relaxed);
}

void Loop::StopAccepting() {
  for (const auto& acceptor : acceptors_) {
    if (!acceptor->paused()) events_->Remove(acceptor->fd(), acceptor.get());
  }
}

void Loop::StopReading(std::function<void()> done) {
  events_->Post([this, done = std::move(done)] {
    stop_reading_ = true;
    if (draining_ == nullptr) StopAccepting();
    for (const auto& connection : connections_) connection->SetReading(false);
    SendBatches(false);
    done();
  });
}

void Loop::FinishStop(std::chrono::milliseconds drain) {
  events_->Post([this, drain] {
    DrainInboxes();
    end_by_ns_ = events_->turn_start_ns() + std::chrono::nanoseconds(drain).count();
  });
}

void Loop::MaybeEnd() {
  const bool out_of_time = events_->turn_start_ns() >= end_by_ns_;
  for (const auto& connection : connections_) {
    if (!out_of_time && !connection->output_empty()) return;
  }
  while (!connections_.empty()) {
    connections_.back()->CloseSaying(Stat::kClosedServerStopping,
                                     mqtt::Reason::kServerShuttingDown);
    to_close_.clear();
    CloseNow(connections_.back().get());
  }
  log_.Submit();  // The journal is ended after the loops.
  events_->Stop();
}

void Loop::Wake() { eventfd_write(wake_.get(), 1); }

}  // namespace atalaya::cloud_server
