// How a connection is kept from publishing faster than it may, or more than there is memory for.

#include "cloud_server/connection.h"
#include "cloud_server/loop.h"

namespace atalaya::cloud_server {

using mqtt::PacketType;
using telemetry::Stat;

namespace {

// What a client says of packets that it got: it frees memory, so it never waits.
bool IsAcknowledgement(PacketType type) {
  return type == PacketType::kPuback || type == PacketType::kPubrec ||
         type == PacketType::kPubrel || type == PacketType::kPubcomp ||
         type == PacketType::kPingreq;
}

}  // namespace

// What is to happen to a packet of a client that is, or may have to be, slowed.
Connection::Turn Connection::TurnOf(const mqtt::Frame& frame, std::string_view wire) {
  const bool behind = HasParked() && !throttle_->releasing;
  if (behind ? IsAcknowledgement(frame.type) : frame.type != PacketType::kPublish) {
    return Turn::kNow;
  }
  if (!behind) {
    if (throttle_ == nullptr) {
      throttle_ = std::make_unique<Throttle>(loop_->limits(), loop_->now_ns());
    }
    const bool short_of_memory = loop_->ShortOfMemory();
    const std::int64_t waited_ns = loop_->now_ns() - throttle_->parked_since_ns;
    const bool patient = throttle_->parked_since_ns == 0 ||
                         waited_ns < std::chrono::nanoseconds(loop_->limits().memory_wait).count();
    if (short_of_memory && !patient) {
      RefuseForMemory(frame);
      return Turn::kDone;
    }
    if (!short_of_memory && throttle_->Pay(wire.size(), loop_->limits(), loop_->now_ns())) {
      return Turn::kNow;
    }
    if (throttle_->releasing) return Turn::kLater;
    loop_->stats().Add(short_of_memory ? Stat::kPausesMemory : Stat::kPausesRate);
    throttle_->parked_since_ns = loop_->now_ns();
    loop_->RetryLater(this);
  }
  throttle_->parked.append(wire);
  loop_->stats().Add(Stat::kParkedBytes, static_cast<std::int64_t>(wire.size()));
  if (throttle_->parked.size() >= kParkedBytes) SetReading(false);
  return Turn::kDone;
}

// The client has waited as long as it is made to.
void Connection::RefuseForMemory(const mqtt::Frame& frame) {
  const mqtt::Decoded<mqtt::Publish> packet = mqtt::DecodePublish(frame, version_);
  if (!packet) return Reject(packet.error(), frame.type);
  loop_->stats().Add(Stat::kDroppedMemoryLimit);
  if (packet->qos == mqtt::Qos::k0) return;
  // Before 5.0 there is no way to say no; a client that comes back sends it again.
  if (terms_ == nullptr) return Close(Stat::kClosedMemoryLimit);
  const PacketType type = packet->qos == mqtt::Qos::k1 ? PacketType::kPuback : PacketType::kPubrec;
  SendAck(type, packet->packet_id, mqtt::Reason::kQuotaExceeded);
}

std::size_t Connection::UnfinishedBytes() const { return in_.size() > kReadBytes ? in_.size() : 0; }

void Connection::CountUnfinished(std::size_t before) {
  const std::size_t now = UnfinishedBytes();
  if (now == before) return;
  loop_->stats().Add(Stat::kParkedBytes,
                     static_cast<std::int64_t>(now) - static_cast<std::int64_t>(before));
}

// Stops reading in the middle of a packet.
void Connection::WaitForMemory() {
  if (throttle_ == nullptr) {
    throttle_ = std::make_unique<Throttle>(loop_->limits(), loop_->now_ns());
  }
  loop_->stats().Add(Stat::kPausesMemory);
  throttle_->wants_memory = true;
  if (throttle_->parked_since_ns == 0) throttle_->parked_since_ns = loop_->now_ns();
  SetReading(false);
  loop_->RetryLater(this);
}

// Reads on where there is memory again; ends the connection where that has taken too long, so that
// unfinished packets do not hold all memory for ever.
void Connection::RetryReading() {
  if (loop_->ShortOfMemory()) {
    const std::int64_t waited_ns = loop_->now_ns() - throttle_->parked_since_ns;
    if (waited_ns < std::chrono::nanoseconds(loop_->limits().memory_wait).count()) return;
    CloseSaying(Stat::kClosedMemoryLimit, mqtt::Reason::kQuotaExceeded, "memory is short");
    ForgetParked();
    return loop_->SettleMemory();  // Perhaps enough for the next that waits.
  }
  throttle_->wants_memory = false;
  if (HasParked()) return;
  throttle_->parked_since_ns = 0;
  SetReading(true);
}

void Connection::RetryParked() {
  if (closing_ || paused_) return;
  if (throttle_->wants_memory) RetryReading();
  if (closing_ || !HasParked()) return;
  const std::string packets = std::exchange(throttle_->parked, {});
  throttle_->releasing = true;
  const std::size_t used = Process(packets);
  throttle_->releasing = false;
  loop_->stats().Add(Stat::kParkedBytes, -static_cast<std::int64_t>(used));
  throttle_->parked.assign(packets, used);
  if (closing_) return;
  if (!throttle_->parked.empty()) return;
  throttle_->parked.shrink_to_fit();
  throttle_->parked_since_ns = 0;
  if (throttle_->peer_done) return Close(Stat::kClosedPeerGone);
  if (!loop_->gated()) throttle_.reset();
  SetReading(true);
}

void Connection::ForgetParked() {
  const std::size_t unfinished = UnfinishedBytes();
  in_ = std::string();
  CountUnfinished(unfinished);
  if (!HasParked()) return;
  loop_->stats().Add(Stat::kParkedBytes, -static_cast<std::int64_t>(throttle_->parked.size()));
  throttle_->parked = std::string();
}

}  // namespace atalaya::cloud_server
