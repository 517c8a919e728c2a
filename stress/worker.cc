#include "stress/worker.h"

#include <sys/epoll.h>
#include <sys/timerfd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>

#include "base/check.h"
#include "base/clock.h"
#include "mqtt/encode.h"
#include "stress/stamp.h"

namespace atalaya::stress {
namespace {

constexpr int kEventsPerTurn = 256;
constexpr std::uint64_t kDuePerTurn = 1024;  // So that a generator that is late still reads.
constexpr std::size_t kBatchBytes = 64u << 10;
constexpr std::size_t kReadBytes = 256u << 10;
constexpr std::int64_t kLongestWaitNs = 20'000'000;  // A stop is noticed within it.
constexpr std::int64_t kStartWaitNs = 5'000'000;
constexpr std::uint64_t kTimerSlot = ~std::uint64_t{0};
constexpr std::uint32_t kEpollEvents = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;

std::int64_t SteadyNs() { return SystemClock().SteadyNs(); }

// The next time to look for a stop: on a grid, so that turns in between need not arm the timer
// anew.
std::int64_t NextLookNs(std::int64_t now_ns) {
  return (now_ns / kLongestWaitNs + 1) * kLongestWaitNs;
}

std::int64_t ThreadCpuNs() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

}  // namespace

struct Worker::Pair {
  std::uint32_t id = 0;
  Connection subscriber;
  Connection publisher;
  std::array<Connection::State, 2> booked{};  // By role's slot: what Book knows of the state.
  bool live = false;        // Both were ready when the load began, and the publisher still is.
  bool dirty = false;       // In dirty_.
  std::string head;         // The packet up to the payload.
  std::string topic_field;  // Of the packets that come back: length and topic.
  std::uint64_t due = 0;
  std::uint64_t sent = 0;
  std::uint64_t held_marked = 0;  // Messages below this are counted in held_back already.
  std::vector<bool> inflight;     // By packet id; only at QoS 1.
  std::uint16_t inflight_count = 0;
  std::uint16_t last_packet_id = 0;
  Ledger ledger;
};

Result<std::unique_ptr<Worker>> Worker::Create(const WorkerPlan& plan, RunControl* control) {
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
  return std::unique_ptr<Worker>(new Worker(plan, control, std::move(epoll), std::move(timer)));
}

Worker::Worker(const WorkerPlan& plan, RunControl* control, UniqueFd epoll, UniqueFd timer)
    : plan_(plan),
      control_(control),
      schedule_(plan.scenario.rate_per_s, std::chrono::nanoseconds(plan.scenario.duration).count(),
                static_cast<std::uint32_t>(plan.scenario.clients)),
      epoll_(std::move(epoll)),
      timer_(std::move(timer)) {
  MakePairs();
}

Worker::~Worker() = default;

void Worker::MakePairs() {
  const Scenario& scenario = plan_.scenario;
  filling_ = MakeFilling(scenario.seed, static_cast<std::size_t>(scenario.payload_bytes));
  const auto clients = static_cast<std::size_t>(scenario.clients);
  const std::size_t count = (clients - plan_.index + plan_.workers - 1) / plan_.workers;
  pairs_ = std::vector<Pair>(count);
  std::size_t packet_bytes = 0;
  for (std::size_t i = 0; i < count; ++i) {
    Pair& pair = pairs_[i];
    pair.id = static_cast<std::uint32_t>(plan_.index + i * plan_.workers);

    const std::string topic = fmt::format("atalaya/stress/{:08x}/{}", plan_.run_id, pair.id);
    pair.subscriber.Configure(Connection::Role::kSubscriber, pair.id,
                              fmt::format("s-{:08x}-{}", plan_.run_id, pair.id), topic,
                              scenario.qos);
    pair.publisher.Configure(Connection::Role::kPublisher, pair.id,
                             fmt::format("p-{:08x}-{}", plan_.run_id, pair.id), topic,
                             scenario.qos);
    mqtt::Publish publish;
    publish.topic = topic;
    publish.payload = filling_;
    publish.qos = static_cast<mqtt::Qos>(scenario.qos);
    publish.packet_id = scenario.qos == 0 ? 0 : 1;  // Patched in each packet.
    mqtt::EncodePublishHeader(publish, mqtt::Version::k311, &pair.head);
    const std::size_t id_bytes = scenario.qos == 0 ? 0 : 2;
    pair.topic_field =
        pair.head.substr(pair.head.size() - id_bytes - topic.size() - 2, topic.size() + 2);
    if (scenario.qos != 0) pair.inflight.resize(std::size_t{kMaxInflight} + 1);
    packet_bytes = std::max(packet_bytes, pair.head.size() + filling_.size());
  }
  max_packet_bytes_ = packet_bytes + 1024;  // Nothing longer was asked for.
  batch_.resize(std::max(kBatchBytes, packet_bytes));
  scratch_.resize(std::max(kReadBytes, 2 * max_packet_bytes_));
  figures_.wanted = 2 * count;
}

void Worker::Run() {
  ConnectAll();
  control_->decided.fetch_add(1);
  BeginLoad();
  Load();
  Drain();
  control_->board.Leave(plan_.index);
  control_->ended.fetch_add(1);
}

Connection& Worker::At(std::size_t slot) {
  Pair& pair = pairs_[slot / 2];
  return slot % 2 == 0 ? pair.subscriber : pair.publisher;
}

// Counts what has become of a connection since it was last looked at.
void Worker::Book(std::size_t slot) {
  Pair& pair = pairs_[slot / 2];
  Connection& connection = At(slot);
  Connection::State& booked = pair.booked[slot % 2];
  const Connection::State state = connection.state();
  if (state == booked) return;
  const bool was_opening = booked > Connection::State::kIdle && booked < Connection::State::kReady;
  booked = state;
  if (was_opening && !connection.opening()) --opening_count_;
  if (state == Connection::State::kReady) control_->ready_connections.fetch_add(1);
  if (!connection.failed()) return;
  const auto failure = static_cast<std::size_t>(connection.failure());
  ++figures_.failures[failure];
  if (figures_.failure_examples[failure].empty()) {
    figures_.failure_examples[failure] = connection.why();
  }
  ++interval_.failures;
  control_->failed_connections.fetch_add(1);
  if (pair.live && connection.role() == Connection::Role::kPublisher) {
    pair.live = false;
    --live_pairs_;
  }
}

void Worker::ConnectAll() {
  const std::int64_t limit_ns = SteadyNs() + plan_.limits.connect_all.count();
  while (true) {
    const std::int64_t now_ns = SteadyNs();
    ExpireOpening(now_ns);
    const bool in_time = now_ns < limit_ns && control_->stop_ns.load() == 0;
    if (in_time) OpenMore(now_ns);
    if (!in_time || (opening_count_ == 0 && next_slot_ == 2 * pairs_.size())) break;
    Turn(NextLookNs(now_ns));
  }
  const char* const why = control_->stop_ns.load() == 0 ? "no time was left to connect" : nullptr;
  for (std::size_t slot = 0; slot < 2 * pairs_.size(); ++slot) {
    Connection& connection = At(slot);
    if (connection.ready() || connection.state() == Connection::State::kClosed) continue;
    if (why != nullptr) {
      connection.FailAs(FailureClass::kHang, why);
    } else {
      connection.Close();
    }
    Book(slot);
  }
}

void Worker::OpenMore(std::int64_t now_ns) {
  while (next_slot_ < 2 * pairs_.size() && opening_count_ < kConnectsInFlight) {
    Open(next_slot_++, now_ns + plan_.limits.connect.count());
  }
}

void Worker::Open(std::size_t slot, std::int64_t deadline_ns) {
  Connection& connection = At(slot);
  ++opening_count_;
  pairs_[slot / 2].booked[slot % 2] = Connection::State::kConnecting;
  connection.Open(plan_.target, deadline_ns);
  if (connection.opening()) {
    epoll_event event{};
    event.events = kEpollEvents;
    event.data.u64 = slot;
    if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, connection.fd(), &event) != 0) {
      connection.FailAs(FailureClass::kLocal, "epoll_ctl: " + ErrnoText(errno));
    }
    opening_.push_back(slot);
  }
  Book(slot);
}

void Worker::ExpireOpening(std::int64_t now_ns) {
  while (!opening_.empty()) {
    Connection& connection = At(opening_.front());
    if (connection.opening()) {
      if (connection.deadline_ns() > now_ns) return;
      connection.FailAs(FailureClass::kHang, "no answer to the connect in time");
      Book(opening_.front());
    }
    opening_.pop_front();
  }
}

void Worker::BeginLoad() {
  while (control_->start_ns.load() == 0) Turn(SteadyNs() + kStartWaitNs);
  start_ns_ = control_->start_ns.load();
  end_ns_ = schedule_.duration_ns();
  for (Pair& pair : pairs_) {
    figures_.connected += (pair.subscriber.ready() ? 1u : 0u) + (pair.publisher.ready() ? 1u : 0u);
    pair.live = pair.subscriber.ready() && pair.publisher.ready();
    if (pair.live) ++live_pairs_;
  }
  interval_ = IntervalFigures();
  interval_start_cpu_ns_ = ThreadCpuNs();
}

void Worker::Load() {
  const std::int64_t cpu_before_ns = ThreadCpuNs();
  std::int64_t now_ns = SteadyNs();
  while (true) {
    if (const std::int64_t stop_ns = control_->stop_ns.load(); stop_ns != 0) {
      end_ns_ = std::clamp<std::int64_t>(stop_ns - start_ns_, 0, end_ns_);
    }
    if (live_pairs_ == 0) end_ns_ = std::clamp<std::int64_t>(now_ns - start_ns_, 0, end_ns_);
    CloseIntervals(std::min(now_ns, start_ns_ + end_ns_ - 1));
    TakeDue(now_ns);
    if (now_ns >= start_ns_ + end_ns_ && NextDueNs() >= end_ns_) break;
    const std::int64_t boundary_ns =
        std::min(static_cast<std::int64_t>(intervals_put_ + 1) * kIntervalNs, end_ns_);
    Turn(std::min({start_ns_ + NextDueNs(), start_ns_ + boundary_ns, NextLookNs(now_ns)}));
    now_ns = SteadyNs();
  }
  CloseIntervals(now_ns);  // The last one waited for the messages that were sent late.
  figures_.load_cpu_ns = ThreadCpuNs() - cpu_before_ns;
  figures_.load_wall_ns = std::max<std::int64_t>(now_ns - start_ns_, 0);
}

std::int64_t Worker::NextDueNs() const {
  return schedule_.DueNs(pairs_[cursor_pair_].id, cursor_round_);
}

void Worker::TakeDue(std::int64_t now_ns) {
  const std::int64_t load_now_ns = now_ns - start_ns_;
  for (std::uint64_t taken = 0; taken < kDuePerTurn; ++taken) {
    const std::int64_t due_ns = NextDueNs();
    if (due_ns > load_now_ns || due_ns >= end_ns_) break;
    Pair& pair = pairs_[cursor_pair_];
    ++pair.due;
    if (pair.live) {
      figures_.attend_lag.Record(load_now_ns - due_ns);
      if (!pair.dirty) {
        pair.dirty = true;
        dirty_.push_back(cursor_pair_);
      }
    }
    if (++cursor_pair_ == pairs_.size()) {
      cursor_pair_ = 0;
      ++cursor_round_;
    }
  }
  for (const std::size_t index : dirty_) {
    pairs_[index].dirty = false;
    FlushPair(index);
  }
  dirty_.clear();
}

void Worker::FlushPair(std::size_t index) {
  Pair& pair = pairs_[index];
  while (pair.live && pair.sent < pair.due && !pair.publisher.blocked()) {
    std::uint64_t count = std::min<std::uint64_t>(
        pair.due - pair.sent, batch_.size() / (pair.head.size() + filling_.size()));
    if (plan_.scenario.qos != 0) {
      count = std::min<std::uint64_t>(count, kMaxInflight - pair.inflight_count);
    }
    if (count == 0) break;
    pair.publisher.Send({batch_.data(), WriteBatch(pair, count, SteadyNs())});
    Book(index * 2 + 1);
  }
  if (pair.live && pair.sent < pair.due) {
    figures_.held_back += pair.due - std::max(pair.sent, pair.held_marked);
    pair.held_marked = pair.due;
  }
}

std::size_t Worker::WriteBatch(Pair& pair, std::uint64_t count, std::int64_t now_ns) {
  char* to = batch_.data();
  Stamp stamp;
  stamp.run = plan_.run_id;
  stamp.pair = pair.id;
  stamp.sent_ns = now_ns - start_ns_;
  for (std::uint64_t i = 0; i < count; ++i) {
    std::memcpy(to, pair.head.data(), pair.head.size());
    to += pair.head.size();
    if (plan_.scenario.qos != 0) {
      const std::uint16_t id = TakePacketId(pair);
      to[-2] = static_cast<char>(id >> 8);
      to[-1] = static_cast<char>(id & 0xff);
    }
    std::memcpy(to + kStampBytes, filling_.data() + kStampBytes, filling_.size() - kStampBytes);
    stamp.sequence = static_cast<std::uint32_t>(pair.sent++);
    stamp.intended_ns = schedule_.DueNs(pair.id, stamp.sequence);
    WriteStamp(stamp, to);
    to += filling_.size();
    figures_.send_lag.Record(stamp.sent_ns - stamp.intended_ns);
    pair.ledger.Sent();
  }
  const auto bytes = static_cast<std::size_t>(to - batch_.data());
  interval_.sent += count;
  interval_.bytes_out += bytes;
  return bytes;
}

std::uint16_t Worker::TakePacketId(Pair& pair) {
  std::uint16_t id = pair.last_packet_id;
  do {
    id = id == kMaxInflight ? std::uint16_t{1} : static_cast<std::uint16_t>(id + 1);
  } while (pair.inflight[id]);
  pair.inflight[id] = true;
  ++pair.inflight_count;
  pair.last_packet_id = id;
  return id;
}

void Worker::Drain() {
  for (std::size_t slot = 0; slot < 2 * pairs_.size(); ++slot) {
    At(slot).Ping();
    Book(slot);
  }
  const std::int64_t limit_ns = SteadyNs() + plan_.limits.drain.count();
  last_arrival_ns_ = SteadyNs();
  while (true) {
    const std::int64_t now_ns = SteadyNs();
    if (now_ns >= limit_ns || Drained(now_ns)) break;
    Turn(std::min(limit_ns, NextLookNs(now_ns)));
  }
  EndDrain();
}

bool Worker::Drained(std::int64_t now_ns) const {
  std::uint64_t missing = 0;
  for (const Pair& pair : pairs_) {
    if (pair.publisher.ready() && (!pair.publisher.ping_answered() || pair.inflight_count != 0 ||
                                   (pair.live && pair.sent < pair.due))) {
      return false;
    }
    if (!pair.subscriber.ready()) continue;
    if (!pair.subscriber.ping_answered()) return false;
    missing += pair.ledger.figures().lost();
  }
  return missing == 0 || now_ns - last_arrival_ns_ >= plan_.limits.drain_quiet.count();
}

void Worker::EndDrain() {
  for (std::size_t slot = 0; slot < 2 * pairs_.size(); ++slot) {
    Connection& connection = At(slot);
    if (connection.ready() && !connection.ping_answered()) {
      connection.FailAs(FailureClass::kHang, "no answer to a PINGREQ after the load");
    }
    Book(slot);
    connection.Close();
  }
  for (const Pair& pair : pairs_) figures_.ledger += pair.ledger.figures();
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
  if (wake_ns > SteadyNs()) {
    ArmTimer(wake_ns);
    timeout_ms = -1;
  }
  epoll_event events[kEventsPerTurn];
  const int count = epoll_wait(epoll_.get(), events, kEventsPerTurn, timeout_ms);
  for (int i = 0; i < count; ++i) {
    if (events[i].data.u64 == kTimerSlot) continue;
    const std::size_t slot = events[i].data.u64;
    Connection& connection = At(slot);
    if (connection.state() == Connection::State::kClosed) continue;
    connection.OnIo(events[i].events, scratch_, max_packet_bytes_, this);
    if (!acks_.empty()) {
      connection.Send(acks_);
      acks_.clear();
    }
    Book(slot);
    if (slot % 2 == 1 && pairs_[slot / 2].sent < pairs_[slot / 2].due) FlushPair(slot / 2);
  }
}

bool Worker::OnPacket(Connection* connection, const mqtt::Frame& frame, std::int64_t now_ns) {
  Pair& pair = pairs_[(connection->pair() - plan_.index) / plan_.workers];
  if (connection->role() == Connection::Role::kPublisher) return OnPuback(pair, frame);
  return frame.type == mqtt::PacketType::kPublish && OnPublish(pair, frame, now_ns);
}

bool Worker::OnPuback(Pair& pair, const mqtt::Frame& frame) {
  if (frame.type != mqtt::PacketType::kPuback) return false;
  const mqtt::Decoded<mqtt::Ack> ack = mqtt::DecodeAck(frame, mqtt::Version::k311);
  if (!ack || ack->packet_id >= pair.inflight.size() || !pair.inflight[ack->packet_id]) {
    return false;
  }
  pair.inflight[ack->packet_id] = false;
  --pair.inflight_count;
  pair.ledger.Acknowledged();
  return true;
}

bool Worker::OnPublish(Pair& pair, const mqtt::Frame& frame, std::int64_t now_ns) {
  last_arrival_ns_ = now_ns;
  interval_.bytes_in += frame.size;
  const int qos = (frame.flags >> 1) & 3;
  if (qos > plan_.scenario.qos) return false;
  std::string_view payload = frame.body;
  if (!payload.starts_with(pair.topic_field)) {
    pair.ledger.Corrupted();
    return mqtt::DecodePublish(frame, mqtt::Version::k311).has_value();
  }
  payload.remove_prefix(pair.topic_field.size());
  if (qos != 0) {
    if (payload.size() < 2) return false;
    acks_ += '\x40';  // PUBACK, as MQTT 3.1.1 section 3.4 writes it.
    acks_ += '\x02';
    acks_ += payload.substr(0, 2);
    payload.remove_prefix(2);
  }
  Stamp stamp;
  if (payload.size() != filling_.size() || !ReadStamp(payload.data(), &stamp) ||
      stamp.run != plan_.run_id || stamp.pair != pair.id ||
      payload.substr(kStampBytes) != std::string_view(filling_).substr(kStampBytes)) {
    pair.ledger.Corrupted();
    return true;
  }
  if (!pair.ledger.Received(stamp.sequence)) return true;
  ++interval_.received;
  const std::int64_t response_ns = now_ns - start_ns_ - stamp.intended_ns;
  interval_.response.Record(response_ns);
  figures_.response.Record(response_ns);
  figures_.service.Record(now_ns - start_ns_ - stamp.sent_ns);
  return true;
}

void Worker::CloseIntervals(std::int64_t now_ns) {
  const std::int64_t load_now_ns = now_ns - start_ns_;
  while (true) {
    const std::int64_t begin_ns = static_cast<std::int64_t>(intervals_put_) * kIntervalNs;
    if (begin_ns >= end_ns_ || std::min(begin_ns + kIntervalNs, end_ns_) > load_now_ns) return;
    PutInterval();
  }
}

void Worker::PutInterval() {
  const std::int64_t cpu_ns = ThreadCpuNs();
  interval_.cpu_ns = cpu_ns - interval_start_cpu_ns_;
  interval_start_cpu_ns_ = cpu_ns;
  const std::int64_t begin_ns = static_cast<std::int64_t>(intervals_put_) * kIntervalNs;
  interval_.load_ns = std::clamp<std::int64_t>(end_ns_ - begin_ns, 0, kIntervalNs);
  control_->board.Put(plan_.index, interval_);
  ++intervals_put_;
  interval_ = IntervalFigures();
}

}  // namespace atalaya::stress
