// What a connection does with each packet.

#include <chrono>

#include "cloud_server/connection.h"
#include "cloud_server/loop.h"
#include "mqtt/encode.h"
#include "mqtt/topic.h"

namespace atalaya::cloud_server {

using mqtt::PacketType;
using telemetry::Stat;

// Takes `first`, and the packets of the same kind and topic behind it, as one burst. 0 where
// `first` is no plain publish at QoS 0, or a broken one: then it is handled as any other packet.
std::size_t Connection::TakeBurst(std::string_view bytes, const mqtt::Frame& first) {
  if (first.type != PacketType::kPublish || first.flags != 0 || session == nullptr) return 0;
  const std::string_view body = first.body;
  if (body.size() < 2 || body.size() >= kShareBytes) return 0;
  const std::size_t head = 2 + (static_cast<std::size_t>(static_cast<std::uint8_t>(body[0])) << 8 |
                                static_cast<std::uint8_t>(body[1]));
  if (body.size() < head) return 0;
  const std::string_view length_and_topic = body.substr(0, head);
  Burst burst;
  burst.topic = length_and_topic.substr(2);
  burst.from = session;
  // A topic that was routed before has been found valid before.
  if (!loop_->KnowsTopic(burst.topic) &&
      !(mqtt::IsValidTopicName(burst.topic) && mqtt::IsValidUtf8(burst.topic))) {
    return 0;
  }
  const std::size_t limit = loop_->limits().max_packet_bytes;
  std::size_t size = first.size;
  burst.packets = 1;
  burst.payload_bytes = body.size() - head;
  while (true) {
    const mqtt::Decoded<mqtt::Frame> frame = mqtt::NextFrame(bytes.substr(size), limit);
    if (!frame || frame->size == 0 || bytes[size] != bytes[0]) break;
    if (frame->body.size() >= kShareBytes || !frame->body.starts_with(length_and_topic)) break;
    size += frame->size;
    ++burst.packets;
    burst.payload_bytes += frame->body.size() - head;
  }
  burst.wire = bytes.substr(0, size);
  telemetry::StatsLoop& stats = loop_->stats();
  stats.Add(Stat::kReceivedPublish, burst.packets);
  stats.Add(Stat::kPublishesReceivedQos0, burst.packets);
  stats.Add(Stat::kPublishReceivedBytes, static_cast<std::int64_t>(burst.payload_bytes));
  loop_->Publish(burst);
  return size;
}

void Connection::HandleFrame(const mqtt::Frame& frame) {
  loop_->stats().Add(telemetry::PacketsReceived(static_cast<unsigned>(frame.type)));
  if (frame.type == PacketType::kPublish && session != nullptr) return HandlePublish(frame);
  if ((session == nullptr) != (frame.type == PacketType::kConnect)) return RejectUnexpected();
  switch (frame.type) {
    case PacketType::kConnect:
      return HandleConnect(frame);
    case PacketType::kPuback:
    case PacketType::kPubrec:
    case PacketType::kPubrel:
    case PacketType::kPubcomp:
      return HandleAck(frame);
    case PacketType::kSubscribe:
      return HandleSubscribe(frame);
    case PacketType::kUnsubscribe:
      return HandleUnsubscribe(frame);
    case PacketType::kPingreq:
      return HandlePing(frame);
    case PacketType::kDisconnect:
      return HandleDisconnect(frame);
    default:
      return RejectUnexpected();  // What only servers send, and AUTH.
  }
}

void Connection::HandleConnect(const mqtt::Frame& frame) {
  const mqtt::Decoded<mqtt::Connect> packet = mqtt::DecodeConnect(frame);
  if (!packet) {
    if (packet.error() == mqtt::Fault::kBadProtocolVersion) {
      return Refuse(mqtt::ConnectCode::kBadVersion, Stat::kRefusedProtocolVersion);
    }
    if (packet.error() == mqtt::Fault::kBadClientId) {
      return Refuse(mqtt::ConnectCode::kBadClientId, Stat::kRefusedClientId);
    }
    return Reject(packet.error());
  }
  if (packet->version == mqtt::Version::k5) {
    return Refuse(mqtt::ConnectCode::kBadVersion, Stat::kRefusedProtocolVersion);
  }
  version_ = packet->version;
  if (!packet->client_id.empty()) {
    const std::uint16_t owner = loop_->OwnerOf(packet->client_id);
    if (owner != loop_->index()) {
      // The owner reads the CONNECT again, and counts it.
      loop_->stats().Add(Stat::kReceivedConnect, -1);
      hand_off_to_ = owner;
      return;
    }
  }
  Accept(*packet);
}

void Connection::Accept(const mqtt::Connect& packet) {
  const std::string invented = packet.client_id.empty() ? loop_->InventClientId() : std::string();
  bool present = false;
  session = loop_->Attach(this, packet.client_id.empty() ? invented : packet.client_id,
                          packet.clean_start, &present);
  if (session == nullptr) {
    return Refuse(mqtt::ConnectCode::kUnavailable, Stat::kRefusedServerUnavailable);
  }
  if (packet.will) {
    mqtt::Publish message;
    message.topic = packet.will->topic;
    message.payload = packet.will->payload;
    message.qos = packet.will->qos;
    message.retain = packet.will->retain;
    will = Message::Copy(message);
  }
  // A client may be silent for one and a half times what it promised (3.1.1, 3.1.2.10).
  keep_alive_ns_ = packet.keep_alive_s * std::int64_t{1'500'000'000};
  ScheduleDeadline();
  // 3.1 has no flag for it: the byte is reserved there.
  const bool says_present = present && version_ != mqtt::Version::k31;
  mqtt::EncodeConnack({says_present, 0, {}}, version_, Tail(PacketType::kConnack));
  for (const Delivery& delivery : session->Unacknowledged()) SendDelivery(delivery);
  loop_->Pump(session);
}

void Connection::HandlePublish(const mqtt::Frame& frame) {
  const mqtt::Decoded<mqtt::Publish> packet = mqtt::DecodePublish(frame, version_);
  if (!packet) return Reject(packet.error());
  telemetry::StatsLoop& stats = loop_->stats();
  stats.Add(telemetry::PublishesReceived(static_cast<unsigned>(packet->qos)));
  stats.Add(Stat::kPublishReceivedBytes, static_cast<std::int64_t>(packet->payload.size()));
  Publication publication;
  publication.packet = *packet;
  publication.from = session;
  if (packet->qos != mqtt::Qos::k2 || session->BeginIncoming(packet->packet_id)) {
    loop_->Publish(&publication);
  }
  if (packet->qos == mqtt::Qos::k1) SendAck(PacketType::kPuback, packet->packet_id);
  if (packet->qos == mqtt::Qos::k2) SendAck(PacketType::kPubrec, packet->packet_id);
}

void Connection::HandleAck(const mqtt::Frame& frame) {
  const mqtt::Decoded<mqtt::Ack> packet = mqtt::DecodeAck(frame, version_);
  if (!packet) return Reject(packet.error());
  if (packet->type != PacketType::kPubrel) return HandleOutgoingAck(*packet);
  session->EndIncoming(packet->packet_id);
  SendAck(PacketType::kPubcomp, packet->packet_id);  // Also for an id that is known no more.
}

void Connection::HandleOutgoingAck(const mqtt::Ack& packet) {
  Session::AckOutcome outcome = Session::AckOutcome::kUnknown;
  if (packet.type == PacketType::kPuback) outcome = session->OnPuback(packet.packet_id);
  if (packet.type == PacketType::kPubrec) outcome = session->OnPubrec(packet.packet_id);
  if (packet.type == PacketType::kPubcomp) outcome = session->OnPubcomp(packet.packet_id);
  switch (outcome) {
    case Session::AckOutcome::kDone:
      return loop_->Pump(session);
    case Session::AckOutcome::kRelease:
      return SendAck(PacketType::kPubrel, packet.packet_id);
    case Session::AckOutcome::kUnknown:
      // A repeat from before a reconnect; a PUBREC needs its answer, or the client repeats it.
      if (packet.type == PacketType::kPubrec) SendAck(PacketType::kPubrel, packet.packet_id);
      return;
    case Session::AckOutcome::kWrongState:
      return RejectUnexpected();
  }
}

void Connection::HandleSubscribe(const mqtt::Frame& frame) {
  const mqtt::Decoded<mqtt::Subscribe> packet = mqtt::DecodeSubscribe(frame, version_);
  if (!packet) return Reject(packet.error());
  const std::string codes = loop_->Subscribe(session, *packet);
  mqtt::EncodeSuback({PacketType::kSuback, packet->packet_id, codes, {}}, version_,
                     Tail(PacketType::kSuback));
  for (std::size_t i = 0; i < codes.size(); ++i) {
    const auto code = static_cast<std::uint8_t>(codes[i]);
    if (code < 0x80) loop_->SendRetained(session, packet->subscriptions[i]);
  }
}

void Connection::HandleUnsubscribe(const mqtt::Frame& frame) {
  const mqtt::Decoded<mqtt::Unsubscribe> packet = mqtt::DecodeUnsubscribe(frame, version_);
  if (!packet) return Reject(packet.error());
  loop_->Unsubscribe(session, *packet);
  mqtt::EncodeSuback({PacketType::kUnsuback, packet->packet_id, "", {}}, version_,
                     Tail(PacketType::kUnsuback));
}

void Connection::HandlePing(const mqtt::Frame& frame) {
  if (const mqtt::Decoded<void> good = mqtt::DecodePing(frame); !good) return Reject(good.error());
  mqtt::EncodePingresp(Tail(PacketType::kPingresp));
}

void Connection::HandleDisconnect(const mqtt::Frame& frame) {
  const mqtt::Decoded<mqtt::Disconnect> packet = mqtt::DecodeDisconnect(frame, version_);
  if (!packet) return Reject(packet.error());
  will = MessagePtr();
  Close(Stat::kClosedDisconnect);
}

}  // namespace atalaya::cloud_server
