#include "stress/sender.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/clock.h"
#include "mqtt/encode.h"
#include "stress/stamp.h"

namespace atalaya::stress {
namespace {

constexpr std::uint64_t kDuePerTurn = 1024;  // So that a generator that is late still reads.
constexpr std::size_t kBatchBytes = 64u << 10;
constexpr std::size_t kMaxWaiting = 8u << 20;  // Of a worker; further ones are not sent.
constexpr std::uint8_t kRefusedReason = 0x80;

}  // namespace

void Sender::Add(const Member& member, Connection* connection) {
  Publisher publisher;
  publisher.member = member;
  publisher.connection = connection;
  publisher.listeners = plan_->roster().ListenersOf(member);
  const FlowWire& wire = plan_->wire(member.flow);
  const std::string topic = plan_->roster().Topic(member);
  mqtt::Publish publish;
  publish.topic = topic;
  publish.payload = wire.filling;
  publish.qos = static_cast<mqtt::Qos>(wire.qos);
  publish.packet_id = wire.qos == 0 ? 0 : 1;  // Patched in each packet.
  mqtt::EncodePublishHeader(publish, plan_->scenario().version, &publisher.head);
  publisher.head.shrink_to_fit();
  batch_.resize(
      std::max({batch_.size(), kBatchBytes, publisher.head.size() + wire.filling.size()}));
  publishers_.push_back(std::move(publisher));
}

void Sender::Begin() {
  end_ns_ = plan_->duration_ns();
  std::size_t at = 0;
  for (std::size_t flow = 0; flow < plan_->scenario().flows.size(); ++flow) {
    first_of_flow_.push_back(at);
    std::vector<std::uint32_t> mine;
    for (; at < publishers_.size() && publishers_[at].member.flow == flow; ++at) {
      mine.push_back(publishers_[at].member.index);
    }
    if (plan_->closed()) continue;
    const std::uint64_t seed = plan_->scenario().seed + 1000 * flow + (mine.empty() ? 0 : mine[0]);
    arrivals_.emplace_back(&plan_->rates(flow), std::move(mine),
                           plan_->scenario().flows[flow].publishers,
                           plan_->scenario().arrivals == Arrivals::kPoisson, seed);
  }
}

std::int64_t Sender::NextDueNs() const {
  std::int64_t next_ns = RatePlan::kNever;
  for (const FlowArrivals& flow : arrivals_) next_ns = std::min(next_ns, flow.due_ns());
  return next_ns;
}

bool Sender::WillComeBack(const Publisher& publisher) const {
  return publisher.connection->state() != Connection::State::kClosed ||
         plan_->scenario().reconnect_after.count() > 0;
}

void Sender::TakeDue(std::int64_t start_ns, std::int64_t now_ns) {
  for (std::uint64_t taken = 0; taken < kDuePerTurn; ++taken) {
    std::size_t flow = 0;
    for (std::size_t i = 1; i < arrivals_.size(); ++i) {
      if (arrivals_[i].due_ns() < arrivals_[flow].due_ns()) flow = i;
    }
    if (arrivals_.empty()) break;
    const std::int64_t due_ns = arrivals_[flow].due_ns();
    if (due_ns > now_ns || due_ns >= end_ns_) break;
    const std::size_t index = first_of_flow_[flow] + arrivals_[flow].turn();
    Publisher& publisher = publishers_[index];
    ++tally_->all.due;
    if (WillComeBack(publisher) && waiting_total_ < kMaxWaiting) {
      tally_->all.attend_lag.Record(now_ns - due_ns);
      publisher.waiting.push_back(due_ns);
      ++waiting_total_;
      if (!publisher.dirty) {
        publisher.dirty = true;
        dirty_.push_back(index);
      }
    }
    arrivals_[flow].Advance();
  }
  for (const std::size_t index : dirty_) {
    publishers_[index].dirty = false;
    Flush(index, start_ns);
  }
  dirty_.clear();
}

std::size_t Sender::MayBeSent(const Publisher& publisher) const {
  const FlowWire& wire = plan_->wire(publisher.member.flow);
  std::size_t count = batch_.size() / (publisher.head.size() + wire.filling.size());
  const std::size_t under_way = wire.qos == 0 ? publisher.under_way : publisher.ids.used();
  if (plan_->closed()) {
    const auto window = static_cast<std::size_t>(plan_->scenario().window);
    count = std::min(count, window - std::min(window, under_way));
    count = std::min<std::size_t>(
        count, plan_->MostOfAPublisher(publisher.member.flow) - publisher.book.sent);
  } else {
    count = std::min(count, publisher.held());
  }
  if (wire.qos > 0) {
    const std::size_t most =
        std::min<std::size_t>(static_cast<std::size_t>(kMaxWindow), publisher.receive_maximum);
    count = std::min(count, most - std::min(most, under_way));
  }
  return count;
}

bool Sender::HasWork(std::size_t publisher) const {
  return plan_->closed() || publishers_[publisher].held() > 0;
}

void Sender::Flush(std::size_t index, std::int64_t start_ns) {
  Publisher& publisher = publishers_[index];
  while (publisher.connection->ready() && !publisher.connection->blocked()) {
    const std::size_t count = MayBeSent(publisher);
    if (count == 0) break;
    const std::int64_t now_ns = SystemClock().SteadyNs() - start_ns;
    if (plan_->closed() && (now_ns >= end_ns_ || plan_->LoadAt(now_ns) == 0)) return;
    publisher.connection->Send({batch_.data(), WriteBatch(publisher, count, now_ns)});
    ++tally_->all.send_calls;
  }
  const auto due = publisher.book.sent + static_cast<std::uint32_t>(publisher.held());
  if (publisher.held() > 0 && due > publisher.held_marked) {
    tally_->all.held_back += due - std::max(publisher.book.sent, publisher.held_marked);
    publisher.held_marked = due;
  }
}

std::size_t Sender::WriteBatch(Publisher& publisher, std::size_t count, std::int64_t now_ns) {
  const FlowWire& wire = plan_->wire(publisher.member.flow);
  const std::size_t id_at = publisher.head.size() - (plan_->v5() ? 3 : 2);
  char* to = batch_.data();
  Stamp stamp;
  stamp.run = plan_->roster().run_id();
  stamp.publisher = plan_->roster().PublisherId(publisher.member);
  stamp.sent_ns = now_ns;
  for (std::size_t i = 0; i < count; ++i) {
    stamp.sequence = publisher.book.sent++;
    stamp.intended_ns = plan_->closed() ? now_ns : publisher.waiting[publisher.waiting_from++];
    std::memcpy(to, publisher.head.data(), publisher.head.size());
    if (wire.qos != 0) {
      const std::uint16_t id = publisher.ids.Take(stamp.sequence);
      to[id_at] = static_cast<char>(id >> 8);
      to[id_at + 1] = static_cast<char>(id & 0xff);
    }
    to += publisher.head.size();
    std::memcpy(to + kStampBytes, wire.filling.data() + kStampBytes,
                wire.filling.size() - kStampBytes);
    WriteStamp(stamp, to);
    to += wire.filling.size();
    tally_->all.send_lag.Record(stamp.sent_ns - stamp.intended_ns);
    PhaseFigures& phase = tally_->all.phases[plan_->PhaseAt(stamp.intended_ns)];
    ++phase.sent;
    phase.expected += publisher.listeners;
  }
  if (plan_->closed()) {
    tally_->all.due += count;
    publisher.under_way += static_cast<std::uint32_t>(count);
  } else {
    waiting_total_ -= count;
    if (publisher.waiting_from == publisher.waiting.size()) {
      publisher.waiting.clear();
      publisher.waiting_from = 0;
    }
  }
  const auto bytes = static_cast<std::size_t>(to - batch_.data());
  tally_->interval.sent += count;
  tally_->interval.bytes_out += bytes;
  return bytes;
}

bool Sender::OnPacket(std::size_t index, const mqtt::Frame& frame, std::string* answer) {
  Publisher& publisher = publishers_[index];
  const int qos = plan_->wire(publisher.member.flow).qos;
  const bool last =
      frame.type == (qos == 2 ? mqtt::PacketType::kPubcomp : mqtt::PacketType::kPuback);
  const bool received = qos == 2 && frame.type == mqtt::PacketType::kPubrec;
  if (qos == 0 || (!last && !received)) return false;
  const mqtt::Decoded<mqtt::Ack> ack = mqtt::DecodeAck(frame, plan_->scenario().version);
  if (!ack || !publisher.ids.Uses(ack->packet_id)) return false;
  const bool refused = static_cast<std::uint8_t>(ack->reason) >= kRefusedReason;
  if (refused) {
    ++tally_->all.refused_publishes;
  } else if (received || qos == 1) {
    ++publisher.book.acknowledged;
    publisher.book.acknowledgements.Insert(publisher.ids.SequenceOf(ack->packet_id));
  }
  if (received && !refused) {
    mqtt::EncodeAck({mqtt::PacketType::kPubrel, ack->packet_id, {}, {}}, plan_->scenario().version,
                    answer);
  } else {
    publisher.ids.Release(ack->packet_id);
  }
  return true;
}

void Sender::OnConnack(std::size_t publisher, const mqtt::Connack& connack) {
  publishers_[publisher].receive_maximum = static_cast<std::uint16_t>(
      connack.properties.Integer(mqtt::Property::kReceiveMaximum).value_or(65'535));
}

void Sender::OnEnd(std::size_t publisher) {
  publishers_[publisher].ids.Clear();
  publishers_[publisher].under_way = 0;
}

void Sender::OnReceipt(std::size_t flow, std::uint32_t index) {
  const std::size_t at = first_of_flow_[flow] + index / plan_->workers();
  Publisher& publisher = publishers_[at];
  if (publisher.under_way > 0) --publisher.under_way;
  if (std::exchange(publisher.dirty, true)) return;
  dirty_.push_back(at);
}

std::optional<std::size_t> Sender::TakeFreed() {
  if (!plan_->closed() || dirty_.empty()) return std::nullopt;
  const std::size_t publisher = dirty_.back();
  dirty_.pop_back();
  publishers_[publisher].dirty = false;
  return publisher;
}

void Sender::MarkSecond() {
  for (Publisher& publisher : publishers_) publisher.second_mark = publisher.book.sent;
}

void Sender::OpenFaultWindow() {
  if (std::exchange(fault_open_, true)) return;
  for (Publisher& publisher : publishers_) {
    publisher.book.fault_windows.emplace_back(publisher.second_mark, UINT32_MAX);
  }
}

void Sender::CloseFaultWindow() {
  if (!std::exchange(fault_open_, false)) return;
  for (Publisher& publisher : publishers_) {
    publisher.book.fault_windows.back().second = publisher.book.sent;
  }
}

bool Sender::Drained(std::size_t index) const {
  const Publisher& publisher = publishers_[index];
  return !publisher.connection->ready() || (publisher.ids.used() == 0 && publisher.held() == 0);
}

std::uint64_t Sender::ExpectedDeliveries() const {
  std::uint64_t expected = 0;
  for (const Publisher& publisher : publishers_) {
    expected += std::uint64_t{publisher.book.sent} * publisher.listeners;
  }
  return expected;
}

}  // namespace atalaya::stress
