// What a connection writes but does not send yet: it waits for the journal.

#include "cloud_server/connection.h"
#include "cloud_server/loop.h"

namespace atalaya::cloud_server {

using mqtt::PacketType;
using telemetry::Stat;

namespace {

// Packets that answer one of the client's, and keep their order among each other.
bool IsAnswer(PacketType type) {
  switch (type) {
    case PacketType::kConnack:
    case PacketType::kPuback:
    case PacketType::kPubrec:
    case PacketType::kPubrel:
    case PacketType::kPubcomp:
    case PacketType::kSuback:
    case PacketType::kUnsuback:
      return true;
    default:
      return false;
  }
}

}  // namespace

std::string* Connection::Tail(PacketType type, bool waits) {
  CountSent(type);
  return Lane(type, waits);
}

// An answer waits where something was written to the journal since its packet came, and behind
// another one that waits; a publish behind another that waits, so that they leave in order
// (MQTT-4.6.0-1). Everything waits behind the CONNACK.
std::string* Connection::Lane(PacketType type, bool waits) {
  const DurableLog& log = loop_->log();
  const bool is_answer = IsAnswer(type);
  const bool rests_on_record = waits || (is_answer && log.written() != records_before_);
  Ticket ticket = 0;
  if (rests_on_record && log.ticket() > log.released()) {
    ticket = log.ticket();
  } else if (held_ == nullptr ||
             (held_->connack_ticket == 0 && !is_answer && !held_->has_publish)) {
    tail_is_held_ = false;
    return output_.tail();
  }
  tail_is_held_ = true;
  loop_->HoldFor(this);
  if (!held_) held_ = std::make_unique<HeldPackets>();
  if (type == PacketType::kConnack) held_->connack_ticket = ticket;
  if (type == PacketType::kPublish) held_->has_publish = true;
  return held_->Tail(ticket);
}

void Connection::Append(MessagePtr payload) {
  if (tail_is_held_) return held_->AppendPayload(std::move(payload));
  output_.AppendPayload(std::move(payload));
}

bool Connection::ReleaseHeld(Ticket released) {
  if (!held_) return false;
  held_->Release(released, &output_);
  if (held_->connack_ticket <= released) held_->connack_ticket = 0;
  if (!output_.empty()) loop_->MarkDirty(this);
  if (!held_->empty()) return true;
  held_.reset();
  return false;
}

// Whether `packet` would have to be kept, and the disk is full.
bool Connection::LacksRoomOnDisk(const mqtt::Publish& packet) {
  if (!loop_->log().full()) return false;
  const bool is_repeat = packet.qos == mqtt::Qos::k2 && session->IsIncoming(packet.packet_id);
  return !is_repeat && loop_->MustRecord(packet, *session);
}

// Takes the publish that is being handled up again once there is room on the disk. Versions before
// 5.0 cannot be told.
void Connection::PauseForDisk() {
  loop_->stats().Add(Stat::kReceivedPublish, -1);
  paused_ = true;
  loop_->PauseUntilRoom(this);
}

}  // namespace atalaya::cloud_server
