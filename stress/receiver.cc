#include "stress/receiver.h"

#include <charconv>

#include "mqtt/encode.h"
#include "mqtt/wire.h"
#include "stress/stamp.h"

namespace atalaya::stress {
namespace {

constexpr std::uint8_t kDup = 0x08;

}  // namespace

void Receiver::Add(const Member& member) {
  Subscriber subscriber;
  subscriber.member = member;
  subscriber.book.links.resize(plan_->roster().LinkCount(member));
  subscribers_.push_back(std::move(subscriber));
}

Receiver::Arrival Receiver::OnPacket(std::size_t index, const mqtt::Frame& frame,
                                     std::int64_t now_ns, std::string* answer) {
  Subscriber& subscriber = subscribers_[index];
  if (frame.type == mqtt::PacketType::kPublish) return OnPublish(subscriber, frame, now_ns, answer);
  if (frame.type != mqtt::PacketType::kPubrel) return {};
  const mqtt::Decoded<mqtt::Ack> release = mqtt::DecodeAck(frame, plan_->scenario().version);
  if (!release) return {};
  mqtt::EncodeAck({mqtt::PacketType::kPubcomp, release->packet_id, {}, {}},
                  plan_->scenario().version, answer);
  return {true};
}

bool Receiver::IsTopicOf(const FlowWire& wire, const Flow& flow, std::string_view topic,
                         std::uint32_t publisher) const {
  if (!topic.starts_with(wire.topic_prefix)) return false;
  topic.remove_prefix(wire.topic_prefix.size());
  std::uint32_t number = 0;
  const auto [end, error] = std::from_chars(topic.data(), topic.data() + topic.size(), number);
  return error == std::errc() && end == topic.data() + topic.size() &&
         number == publisher % static_cast<std::uint32_t>(flow.topics);
}

Receiver::Arrival Receiver::OnPublish(Subscriber& subscriber, const mqtt::Frame& frame,
                                      std::int64_t now_ns, std::string* answer) {
  const FlowWire& wire = plan_->wire(subscriber.member.flow);
  const Flow& flow = plan_->roster().FlowOf(subscriber.member);
  tally_->interval.bytes_in += frame.size;
  const int qos = (frame.flags >> 1) & 3;
  if (qos > wire.qos) return {};
  mqtt::Reader reader(frame.body);
  const std::string_view topic = reader.Binary();
  const std::uint16_t packet_id = qos > 0 ? reader.TwoBytes() : std::uint16_t{0};
  if (plan_->v5()) reader.Bytes(reader.Varint());  // Properties tell nothing here.
  if (!reader.good() || (qos > 0 && packet_id == 0)) return {};
  if (qos > 0) {  // PUBACK or PUBREC, as sections 3.4 and 3.5 write them.
    *answer += qos == 1 ? '\x40' : '\x50';
    *answer += '\x02';
    mqtt::AppendTwoBytes(packet_id, answer);
  }
  const std::string_view payload = reader.rest();
  const Roster& roster = plan_->roster();
  const std::uint32_t first = roster.FirstPublisher(subscriber.member.flow);
  Stamp stamp;
  if (payload.size() != wire.filling.size() || !ReadStamp(payload.data(), &stamp) ||
      stamp.run != roster.run_id() || stamp.publisher < first ||
      stamp.publisher - first >= static_cast<std::uint32_t>(flow.publishers) ||
      stamp.sequence >= plan_->MostOfAPublisher(subscriber.member.flow) ||
      payload.substr(kStampBytes) != std::string_view(wire.filling).substr(kStampBytes) ||
      !IsTopicOf(wire, flow, topic, stamp.publisher - first)) {
    ++subscriber.book.corrupted;
    return {true};
  }
  const std::uint32_t publisher = stamp.publisher - first;
  const std::optional<std::size_t> link = roster.LinkOf(subscriber.member, publisher);
  if (!link) {
    ++subscriber.book.corrupted;
    return {true};
  }
  // A marked copy at QoS 2 is one that a client knows by its packet id.
  if (qos == 2 && (frame.flags & kDup) != 0 &&
      subscriber.book.links[*link].seen.Contains(stamp.sequence)) {
    return {true};
  }
  if (!subscriber.book.Received(*link, stamp.sequence)) return {true};
  ++received_;
  ++tally_->interval.received;
  PhaseFigures& phase = tally_->all.phases[plan_->PhaseAt(stamp.intended_ns)];
  ++phase.received;
  const std::int64_t response_ns = now_ns - stamp.intended_ns;
  tally_->interval.response.Record(response_ns);
  phase.response.Record(response_ns);
  phase.service.Record(now_ns - stamp.sent_ns);
  return {true, true, publisher};
}

}  // namespace atalaya::stress
