#include <algorithm>
#include <iterator>
#include <utility>

#include "cloud_client/acknowledge.h"
#include "cloud_client/session.h"
#include "mqtt/encode.h"

namespace atalaya::cloud_client {
namespace {

// No further publish is written while this much waits for the kernel.
constexpr std::size_t kMaxUnsentBytes = 256u << 10;

// There are no more packet ids than that.
constexpr std::size_t kMaxUnacknowledged = 65'535;

tl::unexpected<Error> Malformed(const mqtt::Frame& frame, mqtt::Fault fault) {
  return Fail(ErrorCode::kIo, "sent a malformed {} ({})", mqtt::PacketTypeName(frame.type),
              mqtt::FaultName(fault));
}

}  // namespace

Status Session::OnFrame(const mqtt::Frame& frame) {
  ping_unanswered_ = false;
  if (state_ == State::kGoodbye) return {};
  const bool connecting = state_ == State::kConnecting;
  if (connecting != (frame.type == mqtt::PacketType::kConnack)) {
    return Fail(ErrorCode::kIo, "sent {} out of turn", mqtt::PacketTypeName(frame.type));
  }
  switch (frame.type) {
    case mqtt::PacketType::kConnack:
      return OnConnack(frame);
    case mqtt::PacketType::kPublish:
      return OnPublish(frame);
    case mqtt::PacketType::kPuback:
      return OnPuback(frame);
    case mqtt::PacketType::kSuback:
      return OnSuback(frame);
    case mqtt::PacketType::kPingresp:
      if (const auto ping = mqtt::DecodePing(frame); !ping) return Malformed(frame, ping.error());
      return {};
    default:
      return Fail(ErrorCode::kIo, "sent {} without need", mqtt::PacketTypeName(frame.type));
  }
}

Status Session::OnPublish(const mqtt::Frame& frame) {
  const auto publish = mqtt::DecodePublish(frame, mqtt::Version::k311);
  if (!publish) return Malformed(frame, publish.error());
  if (publish->qos == mqtt::Qos::k2) {
    return Fail(ErrorCode::kIo, "sent QoS 2, which nobody subscribed to");
  }
  mailbox_->CountReceived();
  Message message{.topic = std::string(publish->topic),
                  .payload = std::string(publish->payload),
                  .qos = static_cast<Qos>(publish->qos),
                  .retain = publish->retain,
                  .duplicate = publish->dup};
  Acknowledge acknowledge;
  if (publish->qos == mqtt::Qos::k1) {
    if (incoming_.size() >= kMaxUnacknowledged) {
      return Fail(ErrorCode::kIo, "sent more than {} packets without waiting for PUBACK",
                  kMaxUnacknowledged);
    }
    incoming_.push_back(
        {.number = next_incoming_++, .packet_id = publish->packet_id, .handled = false});
    acknowledge =
        Acknowledge(std::make_shared<Acknowledge::Target>(mailbox_, incoming_.back().number));
  }
  if (callbacks_.on_message) {
    callbacks_.on_message(std::move(message), std::move(acknowledge));
  } else {
    acknowledge();
  }
  return {};
}

// PUBACKs leave in the order of arrival (MQTT-4.6.0-2).
void Session::OnHandled(std::uint64_t message) {
  if (incoming_.empty() || state_ != State::kConnected || message < incoming_.front().number) {
    return;
  }
  const std::uint64_t index = message - incoming_.front().number;
  if (index < incoming_.size()) incoming_[index].handled = true;
  while (!incoming_.empty() && incoming_.front().handled) {
    mqtt::Ack ack;
    ack.packet_id = incoming_.front().packet_id;
    mqtt::EncodeAck(ack, mqtt::Version::k311, connection_->out());
    incoming_.pop_front();
  }
}

Status Session::OnPuback(const mqtt::Frame& frame) {
  const auto ack = mqtt::DecodeAck(frame, mqtt::Version::k311);
  if (!ack) return Malformed(frame, ack.error());
  const auto found = std::find_if(in_flight_.begin(), in_flight_.end(), [&](const auto& publish) {
    return publish.packet_id == ack->packet_id;
  });
  if (found == in_flight_.end()) return {};
  PendingPublish publish = std::move(*found);
  in_flight_.erase(found);
  Finish(std::move(publish), {});
  SendWaiting();
  GoodbyeIfDrained();
  return {};
}

void Session::Subscribe(const std::string& filter, Qos qos, Client::SubscribeDone done) {
  subscriptions_[filter] = {qos, std::move(done)};
  if (state_ == State::kConnected) SendSubscribe(filter, qos);
}

void Session::SendSubscribe(const std::string& filter, Qos qos) {
  mqtt::Subscribe subscribe;
  subscribe.packet_id = NewPacketId();
  subscribe.subscriptions.emplace_back();
  subscribe.subscriptions.back().filter = filter;
  subscribe.subscriptions.back().qos = static_cast<mqtt::Qos>(qos);
  subscribing_[subscribe.packet_id] = filter;
  mqtt::EncodeSubscribe(subscribe, mqtt::Version::k311, connection_->out());
}

Status Session::OnSuback(const mqtt::Frame& frame) {
  const auto suback = mqtt::DecodeSuback(frame, mqtt::Version::k311);
  if (!suback) return Malformed(frame, suback.error());
  const auto asked = subscribing_.find(suback->packet_id);
  if (asked == subscribing_.end()) return {};
  const std::string filter = std::move(asked->second);
  subscribing_.erase(asked);
  if (suback->codes.size() != 1) return Fail(ErrorCode::kIo, "sent a SUBACK of the wrong length");
  const Client::SubscribeDone done = subscriptions_[filter].done;
  if (!done) return {};
  const auto code = static_cast<std::uint8_t>(suback->codes.front());
  if (code > 1) {
    done(Fail(ErrorCode::kRefused, "{}: the server refused the subscription to \"{}\"",
              options_.server.ToString(), filter));
  } else {
    done(static_cast<Qos>(code));
  }
  return {};
}

void Session::SendWaiting() {
  while (state_ == State::kConnected && !waiting_.empty() &&
         connection_->unsent_bytes() < kMaxUnsentBytes) {
    if (waiting_.front().packet.qos == Qos::kAtLeastOnce && in_flight_.size() >= kMaxInFlight) {
      return;
    }
    PendingPublish publish = std::move(waiting_.front());
    waiting_.pop_front();
    Send(std::move(publish));
  }
}

void Session::Send(PendingPublish publish) {
  const bool acknowledged = publish.packet.qos == Qos::kAtLeastOnce;
  if (acknowledged && publish.packet_id == 0) publish.packet_id = NewPacketId();
  mqtt::Publish packet;
  packet.topic = publish.packet.topic;
  packet.payload = publish.packet.payload;
  packet.packet_id = publish.packet_id;
  packet.qos = static_cast<mqtt::Qos>(publish.packet.qos);
  packet.retain = publish.packet.retain;
  packet.dup = acknowledged && publish.sent_before && session_present_;
  mqtt::EncodePublish(packet, mqtt::Version::k311, connection_->out());
  publish.end_position = connection_->queued_bytes();
  (acknowledged ? in_flight_ : writing_).push_back(std::move(publish));
}

void Session::OnWritten() {
  if (!connection_) return;
  while (!writing_.empty() && writing_.front().end_position <= connection_->written_bytes()) {
    PendingPublish publish = std::move(writing_.front());
    writing_.pop_front();
    Finish(std::move(publish), {});
  }
  if (state_ != State::kConnected) return;
  SendWaiting();
  GoodbyeIfDrained();
}

void Session::Finish(PendingPublish publish, Status outcome) {
  mailbox_->Done(publish.Bytes(), outcome.has_value());
  if (publish.done) publish.done(std::move(outcome));
}

// What was on its way waits again, in its old order. A QoS 0 publish of which the kernel did not
// take every byte cannot have arrived, so that sending it again makes no second one.
void Session::RestoreQueue() {
  for (PendingPublish& publish : in_flight_) publish.sent_before = true;
  std::deque<PendingPublish> again;
  std::merge(std::make_move_iterator(in_flight_.begin()), std::make_move_iterator(in_flight_.end()),
             std::make_move_iterator(writing_.begin()), std::make_move_iterator(writing_.end()),
             std::back_inserter(again),
             [](const PendingPublish& a, const PendingPublish& b) { return a.number < b.number; });
  in_flight_.clear();
  writing_.clear();
  for (PendingPublish& publish : waiting_) again.push_back(std::move(publish));
  waiting_ = std::move(again);
}

// Ids of publishes that were sent before stay theirs: a server with a kept session knows them.
std::uint16_t Session::NewPacketId() {
  const auto taken = [this](std::uint16_t id) {
    const auto holds = [id](const PendingPublish& publish) { return publish.packet_id == id; };
    // In waiting_ only what was sent before has an id, and that stands at its front.
    return subscribing_.contains(id) || std::any_of(in_flight_.begin(), in_flight_.end(), holds) ||
           std::any_of(waiting_.begin(),
                       waiting_.begin() +
                           static_cast<std::ptrdiff_t>(std::min(waiting_.size(), 2 * kMaxInFlight)),
                       holds);
  };
  do {
    last_packet_id_ =
        static_cast<std::uint16_t>(last_packet_id_ == 65'535 ? 1 : last_packet_id_ + 1);
  } while (taken(last_packet_id_));
  return last_packet_id_;
}

}  // namespace atalaya::cloud_client
