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
// another one that waits. Everything waits behind the CONNACK.
std::string* Connection::Lane(PacketType type, bool waits) {
  const DurableLog& log = loop_->log();
  const bool is_answer = IsAnswer(type);
  const bool rests_on_record = waits || (is_answer && log.written() != records_before_);
  if (rests_on_record && log.ticket() > log.released()) {
    if (type == PacketType::kConnack) connack_ticket_ = log.ticket();
    return Hold(&held_, log.ticket());
  }
  if (is_answer && !held_.empty()) return Hold(&held_, 0);
  if (connack_ticket_ != 0) return Hold(&behind_connack_, connack_ticket_);
  last_lane_ = nullptr;
  return output_.tail();
}

std::string* Connection::Hold(HeldPackets* lane, Ticket ticket) {
  last_lane_ = lane;
  loop_->HoldFor(this);
  return lane->Tail(ticket);
}

void Connection::Append(MessagePtr payload) {
  if (last_lane_ != nullptr) return last_lane_->AppendPayload(std::move(payload));
  output_.AppendPayload(std::move(payload));
}

bool Connection::ReleaseHeld(Ticket released) {
  held_.Release(released, &output_);
  behind_connack_.Release(released, &output_);
  if (connack_ticket_ <= released) connack_ticket_ = 0;
  if (!output_.empty()) loop_->MarkDirty(this);
  return !held_.empty() || !behind_connack_.empty();
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
