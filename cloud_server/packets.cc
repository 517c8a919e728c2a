// Which handler takes each packet, and the packets that need little handling.

#include <algorithm>

#include "cloud_server/connection.h"
#include "cloud_server/faults.h"
#include "cloud_server/loop.h"
#include "mqtt/encode.h"

namespace atalaya::cloud_server {

using mqtt::PacketType;
using mqtt::Reason;
using telemetry::Stat;

void Connection::HandleFrame(const mqtt::Frame& frame) {
  loop_->stats().Add(telemetry::PacketsReceived(static_cast<unsigned>(frame.type)));
  records_before_ = loop_->log().written();
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
    case PacketType::kAuth:
      return HandleAuth(frame);
    case PacketType::kSuback:
    case PacketType::kUnsuback:
      if (frame.flags != 0) return Reject(mqtt::Fault::kBadFlags, frame.type);
      return RejectUnexpected();
    default:
      return RejectUnexpected();  // What only servers send.
  }
}

void Connection::HandlePing(const mqtt::Frame& frame) {
  if (const mqtt::Decoded<void> good = mqtt::DecodePing(frame); !good) {
    return Reject(good.error(), frame.type);
  }
  SendPacket(PacketType::kPingresp, [](std::string* out) { mqtt::EncodePingresp(out); });
}

void Connection::HandleDisconnect(const mqtt::Frame& frame) {
  const mqtt::Decoded<mqtt::Disconnect> packet = mqtt::DecodeDisconnect(frame, version_);
  if (!packet) return Reject(packet.error(), frame.type);
  if (const auto expiry_s = packet->properties.Integer(mqtt::Property::kSessionExpiry)) {
    // A session that was to end with its connection cannot be kept after all (5.0, 3.14.2.2.2).
    if (*expiry_s > 0 && !terms_->expires) return RejectUnexpected();
    session->expiry_s = std::min(*expiry_s, loop_->limits().session_expiry_s());
  }
  if (packet->reason == Reason::kSuccess) session->will = MessagePtr();
  Close(Stat::kClosedDisconnect);
}

// No client has an authentication method here, as CONNECT refuses it; so none may send AUTH
// (MQTT-4.12.0-7).
void Connection::HandleAuth(const mqtt::Frame& frame) {
  const mqtt::Decoded<mqtt::Disconnect> packet = mqtt::DecodeDisconnect(frame, version_);
  if (!packet) return Reject(packet.error(), frame.type);
  RejectUnexpected();
}

void Connection::Reject(mqtt::Fault fault, PacketType type) {
  loop_->stats().Add(MalformedStat(fault));
  const bool too_large = fault == mqtt::Fault::kPacketTooLarge;
  CloseSaying(too_large ? Stat::kClosedTooLarge : Stat::kClosedMalformed, FaultReason(fault, type));
}

void Connection::RejectUnexpected() {
  loop_->stats().Add(Stat::kMalformedUnexpected);
  CloseSaying(Stat::kClosedProtocolError, Reason::kProtocolError);
}

void Connection::CloseSaying(Stat counter, Reason reason, std::string_view text) {
  if (terms_ != nullptr && !terms_->problem_info) text = {};
  SendDisconnect(reason, mqtt::Property::kReasonString, text);
  Close(counter);
}

void Connection::CloseForAnotherServer(const std::string& use_server) {
  SendDisconnect(use_server.empty() ? Reason::kServerShuttingDown : Reason::kUseAnotherServer,
                 mqtt::Property::kServerReference, use_server);
  Close(Stat::kClosedDrained);
}

// Only a 5.0 client that has had its CONNACK can be told. `text` may be empty.
void Connection::SendDisconnect(Reason reason, mqtt::Property property, std::string_view text) {
  if (closing_ || !accepted_ || version_ != mqtt::Version::k5) return;
  std::string properties;
  if (!text.empty()) mqtt::PropertyWriter(&properties).Text(property, text);
  const mqtt::Disconnect packet{PacketType::kDisconnect, reason, mqtt::Properties(properties)};
  SendPacket(PacketType::kDisconnect,
             [&](std::string* out) { mqtt::EncodeDisconnect(packet, version_, out); });
}

}  // namespace atalaya::cloud_server
