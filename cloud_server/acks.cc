// What a connection does with PUBACK, PUBREC, PUBREL and PUBCOMP.

#include "cloud_server/connection.h"
#include "cloud_server/loop.h"
#include "mqtt/encode.h"

namespace atalaya::cloud_server {

using mqtt::PacketType;
using mqtt::Reason;

void Connection::HandleAck(const mqtt::Frame& frame) {
  const mqtt::Decoded<mqtt::Ack> packet = mqtt::DecodeAck(frame, version_);
  if (!packet) return Reject(packet.error(), frame.type);
  if (packet->type != PacketType::kPubrel) return HandleOutgoingAck(*packet);
  // A PUBCOMP answers an id that is known no more as well, or the client would ask for ever.
  const bool known = session->EndIncoming(packet->packet_id);
  if (known && terms_ != nullptr && terms_->unacked > 0) --terms_->unacked;
  SendAck(PacketType::kPubcomp, packet->packet_id,
          known ? Reason::kSuccess : Reason::kPacketIdNotFound);
}

void Connection::HandleOutgoingAck(const mqtt::Ack& packet) {
  const bool refused = static_cast<unsigned>(packet.reason) >= 0x80;
  Session::AckOutcome outcome = Session::AckOutcome::kUnknown;
  if (packet.type == PacketType::kPuback) outcome = session->OnPuback(packet.packet_id);
  if (packet.type == PacketType::kPubrec) outcome = session->OnPubrec(packet.packet_id, refused);
  if (packet.type == PacketType::kPubcomp) outcome = session->OnPubcomp(packet.packet_id);
  switch (outcome) {
    case Session::AckOutcome::kDone:
      return loop_->Pump(session);
    case Session::AckOutcome::kRelease:
      return SendAck(PacketType::kPubrel, packet.packet_id, Reason::kSuccess);
    case Session::AckOutcome::kUnknown:
      // A repeat from before a reconnect; a PUBREC needs its answer, or the client repeats it.
      if (packet.type == PacketType::kPubrec && !refused) {
        SendAck(PacketType::kPubrel, packet.packet_id, Reason::kPacketIdNotFound);
      }
      return;
    case Session::AckOutcome::kWrongState:
      return RejectUnexpected();
  }
}

void Connection::SendAck(PacketType type, std::uint16_t packet_id, Reason reason,
                         std::string_view why) {
  std::string properties;
  if (terms_ == nullptr) reason = Reason::kSuccess;
  if (terms_ != nullptr && terms_->problem_info && !why.empty()) {
    mqtt::PropertyWriter(&properties).Text(mqtt::Property::kReasonString, why);
  }
  mqtt::EncodeAck({type, packet_id, reason, mqtt::Properties(properties)}, version_, Tail(type));
}

}  // namespace atalaya::cloud_server
