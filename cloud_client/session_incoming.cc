#include <algorithm>
#include <charconv>
#include <utility>

#include "cloud_client/acknowledge.h"
#include "cloud_client/reasons.h"
#include "cloud_client/session.h"
#include "mqtt/encode.h"

namespace atalaya::cloud_client {
namespace {

// There are no more packet ids than that.
constexpr std::size_t kMaxUnacknowledged = 65'535;

constexpr std::uint8_t kFirstFailure = 0x80;  // Of a SUBACK's codes.

tl::unexpected<Error> Malformed(const mqtt::Frame& frame, mqtt::Fault fault) {
  return Fail(ErrorCode::kIo, "sent a malformed {} ({})", mqtt::PacketTypeName(frame.type),
              mqtt::FaultName(fault));
}

// The user property `time`: Unix seconds (docs/PROTOCOL.md).
std::optional<std::int64_t> TimeOf(mqtt::Properties properties) {
  constexpr double kMaxSeconds = 253'402'300'800;  // The year 10000.
  mqtt::PropertyValue property;
  while (properties.Next(&property)) {
    if (property.id != mqtt::Property::kUserProperty || property.text != "time") continue;
    double seconds = 0;
    const char* end = property.value.data() + property.value.size();
    const auto parsed = std::from_chars(property.value.data(), end, seconds);
    if (parsed.ec != std::errc() || parsed.ptr != end) return std::nullopt;
    if (!(seconds >= 0 && seconds < kMaxSeconds)) return std::nullopt;
    return static_cast<std::int64_t>(seconds * 1000 + 0.5);
  }
  return std::nullopt;
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
    case mqtt::PacketType::kPubrel:
      return OnPubrel(frame);
    case mqtt::PacketType::kPuback:
    case mqtt::PacketType::kPubrec:
    case mqtt::PacketType::kPubcomp:
      return OnAck(frame);
    case mqtt::PacketType::kSuback:
      return OnSuback(frame);
    case mqtt::PacketType::kPingresp:
      if (const auto ping = mqtt::DecodePing(frame); !ping) return Malformed(frame, ping.error());
      return {};
    case mqtt::PacketType::kDisconnect:
      if (version_ == mqtt::Version::k5) return OnDisconnect(frame);
      [[fallthrough]];
    default:
      return Fail(ErrorCode::kIo, "sent {} without need", mqtt::PacketTypeName(frame.type));
  }
}

Status Session::OnPublish(const mqtt::Frame& frame) {
  const auto publish = mqtt::DecodePublish(frame, version_);
  if (!publish) return Malformed(frame, publish.error());
  if (publish->topic.empty()) return Fail(ErrorCode::kIo, "sent a topic alias, which is not taken");
  if (publish->qos == mqtt::Qos::k0) {
    HandOver(*publish, {});
    return {};
  }
  if (incoming_.size() >= kMaxUnacknowledged) {
    return Fail(ErrorCode::kIo, "sent more than {} packets without waiting for PUBACK",
                kMaxUnacknowledged);
  }
  Incoming incoming{.number = next_incoming_,
                    .packet_id = publish->packet_id,
                    .qos = static_cast<Qos>(publish->qos),
                    .handled = false};
  if (publish->qos == mqtt::Qos::k2) {
    // Sent again: it was handed over already, and only its PUBREC is missing.
    if (const auto known = received_.find(publish->packet_id); known != received_.end()) {
      incoming.number = known->second.number;
      incoming.handled = known->second.handled;
      incoming_.push_back(incoming);
      SendAcks();
      return {};
    }
    received_[publish->packet_id] = {.number = next_incoming_, .handled = false};
  }
  ++next_incoming_;
  incoming_.push_back(incoming);
  HandOver(*publish, Acknowledge(std::make_shared<Acknowledge::Target>(mailbox_, incoming.number)));
  return {};
}

void Session::HandOver(const mqtt::Publish& publish, Acknowledge acknowledge) {
  mailbox_->CountReceived();
  if (!callbacks_.on_message) return acknowledge();
  Message message{.topic = std::string(publish.topic),
                  .payload = std::string(publish.payload),
                  .qos = static_cast<Qos>(publish.qos),
                  .retain = publish.retain,
                  .duplicate = publish.dup,
                  .time_ms = TimeOf(publish.properties)};
  callbacks_.on_message(std::move(message), std::move(acknowledge));
}

void Session::OnHandled(std::uint64_t message) {
  for (auto& [packet_id, received] : received_) {
    if (received.number == message) received.handled = true;
  }
  const auto found = std::find_if(incoming_.begin(), incoming_.end(),
                                  [&](const Incoming& one) { return one.number == message; });
  if (found == incoming_.end()) return;
  found->handled = true;
  SendAcks();
}

// Acknowledgements leave in the order of arrival (MQTT-4.6.0-2 and -3).
void Session::SendAcks() {
  if (!connection_) return;
  while (!incoming_.empty() && incoming_.front().handled) {
    SendAck(incoming_.front().qos == Qos::kAtLeastOnce ? mqtt::PacketType::kPuback
                                                       : mqtt::PacketType::kPubrec,
            incoming_.front().packet_id);
    incoming_.pop_front();
  }
}

void Session::SendAck(mqtt::PacketType type, std::uint16_t packet_id, mqtt::Reason reason) {
  mqtt::Ack ack;
  ack.type = type;
  ack.packet_id = packet_id;
  if (version_ == mqtt::Version::k5) ack.reason = reason;
  mqtt::EncodeAck(ack, version_, connection_->out());
}

Status Session::OnPubrel(const mqtt::Frame& frame) {
  const auto release = mqtt::DecodeAck(frame, version_);
  if (!release) return Malformed(frame, release.error());
  const bool known = received_.erase(release->packet_id) != 0;
  SendAck(mqtt::PacketType::kPubcomp, release->packet_id,
          known ? mqtt::Reason::kSuccess : mqtt::Reason::kPacketIdNotFound);
  return {};
}

Status Session::OnDisconnect(const mqtt::Frame& frame) {
  const auto disconnect = mqtt::DecodeDisconnect(frame, version_);
  if (!disconnect) return Malformed(frame, disconnect.error());
  return Fail(ErrorCode::kIo, "the server ended the connection: {}",
              ReasonText(disconnect->reason, disconnect->properties));
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
  mqtt::EncodeSubscribe(subscribe, version_, connection_->out());
}

Status Session::OnSuback(const mqtt::Frame& frame) {
  const auto suback = mqtt::DecodeSuback(frame, version_);
  if (!suback) return Malformed(frame, suback.error());
  const auto asked = subscribing_.find(suback->packet_id);
  if (asked == subscribing_.end()) return {};
  const std::string filter = std::move(asked->second);
  subscribing_.erase(asked);
  if (suback->codes.size() != 1) return Fail(ErrorCode::kIo, "sent a SUBACK of the wrong length");
  const Client::SubscribeDone done = subscriptions_[filter].done;
  if (!done) return {};
  const auto code = static_cast<std::uint8_t>(suback->codes.front());
  if (code < kFirstFailure) {
    done(static_cast<Qos>(code));
    return {};
  }
  std::string why;
  if (version_ == mqtt::Version::k5) {
    why = ": " + ReasonText(static_cast<mqtt::Reason>(code), suback->properties);
  }
  done(Fail(ErrorCode::kRefused, "{}: the server refused the subscription to \"{}\"{}",
            options_.servers[next_server_ - 1].ToString(), filter, why));
  return {};
}

}  // namespace atalaya::cloud_client
