#include <sys/epoll.h>

#include <algorithm>
#include <cerrno>

#include "mqtt/encode.h"
#include "stress/worker.h"

namespace atalaya::stress {
namespace {

constexpr std::uint32_t kEpollEvents = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
// Of a session that is kept: long enough for any fault, and then the server may forget it.
constexpr std::uint32_t kSessionExpiryS = 300;

}  // namespace

std::int64_t Worker::ConnectDueNs(std::size_t slot) const {
  const double rate = plan_->scenario().connect_rate_per_s;
  if (rate == 0) return 0;
  const std::size_t number = slot * plan_->workers() + index_;
  return connect_start_ns_ + static_cast<std::int64_t>(static_cast<double>(number) * 1e9 / rate);
}

void Worker::ConnectAll() {
  connect_start_ns_ = SteadyNow();
  const double rate = plan_->scenario().connect_rate_per_s;
  const double paced_ns =
      rate == 0 ? 0 : 1e9 * static_cast<double>(plan_->scenario().connections()) / rate;
  const std::int64_t limit_ns =
      connect_start_ns_ + plan_->limits().connect_all.count() + static_cast<std::int64_t>(paced_ns);
  while (true) {
    const std::int64_t now_ns = SteadyNow();
    ExpireOpening(now_ns);
    const bool in_time = now_ns < limit_ns && control_->stop_ns.load() == 0;
    if (in_time) OpenMore(now_ns);
    if (!in_time || (opening_count_ == 0 && next_slot_ == slots_.size())) break;
    std::int64_t wake_ns = NextLookNs(now_ns);
    if (next_slot_ < slots_.size()) {
      wake_ns = std::min(wake_ns, std::max(ConnectDueNs(next_slot_), now_ns + 1'000'000));
    }
    Turn(wake_ns);
  }
  const bool stopped = control_->stop_ns.load() != 0;
  for (std::size_t slot = 0; slot < slots_.size(); ++slot) {
    Connection& connection = slots_[slot].connection;
    if (connection.ready() || connection.state() == Connection::State::kClosed) continue;
    if (stopped) {
      connection.Close(plan_->scenario().version);
    } else {
      connection.FailAs(FailureClass::kHang, "no time was left to connect");
    }
    Book(slot);
  }
}

void Worker::OpenMore(std::int64_t now_ns) {
  while (next_slot_ < slots_.size() && opening_count_ < kConnectsInFlight) {
    const std::int64_t due_ns = ConnectDueNs(next_slot_);
    if (due_ns > now_ns) return;
    Open(next_slot_++, due_ns == 0 ? now_ns : due_ns);
  }
}

void Worker::Open(std::size_t slot, std::int64_t due_ns) {
  Connection& connection = slots_[slot].connection;
  ++opening_count_;
  slots_[slot].booked = Connection::State::kConnecting;
  const auto number = static_cast<std::uint32_t>(slot * plan_->workers() + index_);
  connection.Open(plan_->peer(), number, due_ns, SteadyNow() + plan_->limits().connect.count());
  if (connection.opening()) {
    epoll_event event{};
    event.events = kEpollEvents;
    event.data.u64 = slot;
    if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, connection.fd(), &event) != 0) {
      connection.FailAs(FailureClass::kLocal, "epoll_ctl: " + ErrnoText(errno));
    }
    opening_.push_back(static_cast<std::uint32_t>(slot));
  }
  Book(slot);
}

void Worker::ExpireOpening(std::int64_t now_ns) {
  while (!opening_.empty()) {
    Connection& connection = slots_[opening_.front()].connection;
    if (connection.opening()) {
      if (connection.deadline_ns() > now_ns) return;
      connection.FailAs(FailureClass::kHang, "no answer to the connect in time");
      Book(opening_.front());
    }
    opening_.pop_front();
  }
}

void Worker::Reopen(std::int64_t now_ns) {
  ExpireOpening(now_ns);
  while (!reopening_.empty() && opening_count_ < kConnectsInFlight) {
    const auto [at_ns, slot] = reopening_.front();
    if (at_ns > now_ns) return;
    reopening_.pop_front();
    const bool stays_away = away_ && RoleOf(slot) == Role::kSubscriber;
    if (slots_[slot].connection.state() == Connection::State::kClosed && !stays_away) {
      Open(slot, now_ns);
    }
  }
}

// Counts what has become of a connection since it was last looked at.
void Worker::Book(std::size_t slot) {
  Connection& connection = slots_[slot].connection;
  const Connection::State state = connection.state();
  const Connection::State before = std::exchange(slots_[slot].booked, state);
  if (state == before) return;
  const bool failed = connection.failed();
  const bool was_opening = before > Connection::State::kIdle && before < Connection::State::kReady;
  if (was_opening && !connection.opening()) --opening_count_;
  if (state == Connection::State::kReady) {
    control_->ready_connections.fetch_add(1);
    if (RoleOf(slot) == Role::kPublisher) ++live_publishers_;
    if (!loading_) tally_.all.connect.Record(SteadyNow() - connection.opened_ns());
    if (loading_) ++tally_.all.reconnected;
  } else if (before == Connection::State::kReady) {
    control_->ready_connections.fetch_sub(1);
    if (RoleOf(slot) == Role::kPublisher) {
      --live_publishers_;
      sender_.OnEnd(PublisherAt(slot));
    }
  }
  if (failed) {
    BookFailure(slot);
  } else if (loading_ && state == Connection::State::kReady && RoleOf(slot) == Role::kPublisher) {
    FlushPublisher(slot);
  }
}

void Worker::BookFailure(std::size_t slot) {
  Obey();  // The fault that did this was told of before it was done.
  const Connection& connection = slots_[slot].connection;
  const auto failure = static_cast<std::size_t>(connection.failure());
  ++tally_.all.failures[failure];
  if (faults_open_ > 0) ++tally_.all.fault_failures[failure];
  if (tally_.all.failure_examples[failure].empty()) {
    tally_.all.failure_examples[failure] = connection.why();
  }
  ++tally_.interval.failures;
  control_->failed_connections.fetch_add(1);
  const std::int64_t after_ns = std::chrono::nanoseconds(plan_->scenario().reconnect_after).count();
  if (loading_ && after_ns > 0) {
    reopening_.push_back({SteadyNow() + after_ns, static_cast<std::uint32_t>(slot)});
  }
}

// Each connection in turn, twice in a keep alive time; one that has not answered by its next turn
// is dead.
void Worker::KeepAlive(std::int64_t now_ns) {
  const std::int64_t half_ns = std::chrono::nanoseconds(plan_->scenario().keep_alive).count() / 2;
  if (half_ns == 0 || slots_.empty()) return;
  const auto due =
      static_cast<std::int64_t>(static_cast<double>(now_ns - start_ns_) /
                                static_cast<double>(half_ns) * static_cast<double>(slots_.size()));
  for (; pinged_ < due; ++pinged_) {
    const std::size_t slot = static_cast<std::size_t>(pinged_) % slots_.size();
    Connection& connection = slots_[slot].connection;
    if (!connection.ready()) continue;
    if (connection.ping_answered()) {
      connection.Ping();
    } else {
      connection.FailAs(FailureClass::kHang, "no answer to a PINGREQ in half a keep alive time");
    }
    Book(slot);
  }
}

void Worker::AppendConnect(const Connection& connection, std::string* to) {
  const Member& member = members_[connection.slot()];
  const std::string client_id = plan_->roster().ClientId(member);
  std::string properties;
  mqtt::Connect packet;
  packet.version = plan_->scenario().version;
  packet.client_id = client_id;
  packet.keep_alive_s = static_cast<std::uint16_t>(plan_->scenario().keep_alive.count());
  if (member.role == Role::kSubscriber && plan_->roster().FlowOf(member).persistent) {
    packet.clean_start = false;
    mqtt::PropertyWriter(&properties).Integer(mqtt::Property::kSessionExpiry, kSessionExpiryS);
    packet.properties = mqtt::Properties(properties);
  }
  mqtt::EncodeConnect(packet, to);
}

void Worker::AppendSubscribe(const Connection& connection, std::string* to) {
  const Member& member = members_[connection.slot()];
  if (member.role != Role::kSubscriber || session_present_) return;
  const std::string filter = plan_->roster().Filter(member);
  mqtt::Subscribe subscribe;
  subscribe.packet_id = kSubscribeId;
  subscribe.subscriptions.push_back(
      {filter, static_cast<mqtt::Qos>(plan_->wire(member.flow).qos), false, false, 0});
  mqtt::EncodeSubscribe(subscribe, plan_->scenario().version, to);
}

void Worker::OnConnack(const Connection& connection, const mqtt::Connack& connack) {
  session_present_ = connack.session_present;
  const std::size_t slot = connection.slot();
  if (RoleOf(slot) == Role::kPublisher) sender_.OnConnack(PublisherAt(slot), connack);
}

}  // namespace atalaya::stress
