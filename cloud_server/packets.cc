// What a connection does with each packet.

#include <chrono>

#include "cloud_server/connection.h"
#include "cloud_server/loop.h"
#include "mqtt/encode.h"

namespace atalaya::cloud_server {

using mqtt::PacketType;
using telemetry::Stat;

void Connection::HandleFrame(const mqtt::Frame& frame, std::string_view wire) {
  loop_->stats().Add(telemetry::PacketsReceived(static_cast<unsigned>(frame.type)));
  if (frame.type == PacketType::kPublish && session != nullptr) return HandlePublish(frame, wire);
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

void Connection::HandlePublish(const mqtt::Frame& frame, std::string_view wire) {
  const mqtt::Decoded<mqtt::Publish> packet = mqtt::DecodePublish(frame, version_);
  if (!packet) return Reject(packet.error());
  telemetry::StatsLoop& stats = loop_->stats();
  stats.Add(telemetry::PublishesReceived(static_cast<unsigned>(packet->qos)));
  stats.Add(Stat::kPublishReceivedBytes, static_cast<std::int64_t>(packet->payload.size()));
  Publication publication;
  publication.packet = *packet;
  publication.from = session;
  if (frame.flags == 0) publication.wire = wire;
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
