// What a connection does with SUBSCRIBE and UNSUBSCRIBE.

#include <algorithm>

#include "cloud_server/connection.h"
#include "cloud_server/loop.h"
#include "mqtt/encode.h"
#include "mqtt/topic.h"

namespace atalaya::cloud_server {

using mqtt::PacketType;
using telemetry::Stat;

namespace {

// What 5.0 calls a protocol error (4.8.2, 3.8.3.1).
bool HasBadShare(const mqtt::Subscribe& packet) {
  return std::any_of(packet.subscriptions.begin(), packet.subscriptions.end(),
                     [](const mqtt::Subscription& wanted) {
                       const mqtt::SharedFilter shared = mqtt::ParseShared(wanted.filter);
                       return shared.is_shared && (!shared.is_valid || wanted.no_local);
                     });
}

}  // namespace

void Connection::HandleSubscribe(const mqtt::Frame& frame) {
  const mqtt::Decoded<mqtt::Subscribe> packet = mqtt::DecodeSubscribe(frame, version_);
  if (!packet) return Reject(packet.error(), frame.type);
  if (version_ == mqtt::Version::k5 && HasBadShare(*packet)) return RejectUnexpected();
  const std::vector<SubscribeOutcome> outcomes = loop_->Subscribe(session, *packet);
  std::string codes;
  for (const SubscribeOutcome& outcome : outcomes) codes.push_back(CodeOf(outcome));
  SendPacket(PacketType::kSuback, [&](std::string* out) {
    mqtt::EncodeSuback({PacketType::kSuback, packet->packet_id, codes, {}}, version_, out);
  });
  const std::uint32_t id = packet->properties.Integer(mqtt::Property::kSubscriptionId).value_or(0);
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    const mqtt::Subscription& wanted = packet->subscriptions[i];
    const bool asks =
        wanted.retain_handling == 0 || (wanted.retain_handling == 1 && outcomes[i].is_new);
    if (outcomes[i].reason != mqtt::Reason::kSuccess || !asks) continue;
    if (mqtt::ParseShared(wanted.filter).is_shared) continue;  // None for these (4.8.2).
    loop_->SendRetained(session, wanted, id);
  }
}

// A byte of a SUBACK: before 5.0 every refusal is 0x80 (3.1.1, 3.9.3).
char Connection::CodeOf(const SubscribeOutcome& outcome) const {
  if (outcome.reason == mqtt::Reason::kSuccess) return static_cast<char>(outcome.granted);
  const bool is_v5 = version_ == mqtt::Version::k5;
  return static_cast<char>(is_v5 ? outcome.reason : mqtt::Reason::kUnspecified);
}

void Connection::HandleUnsubscribe(const mqtt::Frame& frame) {
  const mqtt::Decoded<mqtt::Unsubscribe> packet = mqtt::DecodeUnsubscribe(frame, version_);
  if (!packet) return Reject(packet.error(), frame.type);
  std::string codes;
  for (const bool existed : loop_->Unsubscribe(session, *packet)) {
    codes.push_back(
        static_cast<char>(existed ? mqtt::Reason::kSuccess : mqtt::Reason::kNoSubscriptionExisted));
  }
  if (version_ != mqtt::Version::k5) codes.clear();
  SendPacket(PacketType::kUnsuback, [&](std::string* out) {
    mqtt::EncodeSuback({PacketType::kUnsuback, packet->packet_id, codes, {}}, version_, out);
  });
}

}  // namespace atalaya::cloud_server
