// What a connection does with CONNECT, and the CONNACK that answers it.

#include <algorithm>

#include "cloud_server/connection.h"
#include "cloud_server/loop.h"
#include "cloud_server/message_properties.h"
#include "cloud_server/own_topics.h"
#include "mqtt/client_level.h"
#include "mqtt/encode.h"
#include "mqtt/topic.h"

namespace atalaya::cloud_server {

using mqtt::PacketType;
using mqtt::Property;
using mqtt::Reason;
using telemetry::Stat;

namespace {

constexpr std::string_view kResponseLevel = "response";
// What a client id may have percent-encoded, so that it fits into every topic that names it.
constexpr std::size_t kLongestClientLevelBytes =
    mqtt::kMaxTopicBytes - std::max(kPresenceLevel.size(), kResponseLevel.size()) - 1;

// The return code that says the same in 3.1 and 3.1.1; those have few.
mqtt::ConnectCode OldCode(Reason reason) {
  switch (reason) {
    case Reason::kUnsupportedVersion:
      return mqtt::ConnectCode::kBadVersion;
    case Reason::kClientIdNotValid:
      return mqtt::ConnectCode::kBadClientId;
    case Reason::kBadCredentials:
      return mqtt::ConnectCode::kBadCredentials;
    case Reason::kNotAuthorized:
    case Reason::kBanned:
      return mqtt::ConnectCode::kNotAuthorized;
    default:
      return mqtt::ConnectCode::kUnavailable;
  }
}

// Whether the bytes of a CONNECT say 5.0, also where they are wrong behind that.
bool SaysVersion5(std::string_view body) {
  constexpr std::string_view kProtocol("\x00\x04MQTT\x05", 7);
  return body.starts_with(kProtocol);
}

// Moves a will into `request`; its delay is ours, the other properties are the message's.
void TakeWill(const mqtt::Will& will, AttachRequest* request) {
  mqtt::Publish message;
  message.topic = will.topic;
  message.payload = will.payload;
  message.qos = will.qos;
  message.retain = will.retain;
  std::string kept;
  mqtt::PropertyValue value;
  for (mqtt::Properties walk = will.properties; walk.Next(&value);) {
    if (value.id == Property::kWillDelay) {
      request->will_delay_s = value.integer;
    } else {
      kept.append(value.raw);
    }
  }
  message.properties = mqtt::Properties(kept);
  request->will = Message::Copy(message);
}

}  // namespace

void Connection::HandleConnect(const mqtt::Frame& frame) {
  const mqtt::Decoded<mqtt::Connect> packet = mqtt::DecodeConnect(frame);
  if (!packet) return RefuseBroken(packet.error(), frame);
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
  if (version_ == mqtt::Version::k5) ReadTerms(*packet);
  if (mqtt::EncodeClientId(packet->client_id).size() > kLongestClientLevelBytes) {
    return Refuse(Reason::kClientIdNotValid, Stat::kRefusedClientId);
  }
  if (packet->properties.Text(Property::kAuthMethod)) {
    return Refuse(Reason::kBadAuthenticationMethod, Stat::kRefusedAuthMethod);
  }
  const LoginOutcome login = loop_->LogIn(this, *packet);
  if (login.waits) {
    // It is read again, and counted, when its password has been looked up.
    loop_->stats().Add(Stat::kReceivedConnect, -1);
    waits_for_login_ = true;
    return SetReading(false);
  }
  if (login.reason != Reason::kSuccess) return Refuse(login.reason, login.counter);
  Accept(*packet, login);
}

void Connection::RefuseBroken(mqtt::Fault fault, const mqtt::Frame& frame) {
  if (fault == mqtt::Fault::kBadProtocolVersion) {
    return Refuse(Reason::kUnsupportedVersion, Stat::kRefusedProtocolVersion);
  }
  if (fault == mqtt::Fault::kBadClientId) {
    return Refuse(Reason::kClientIdNotValid, Stat::kRefusedClientId);
  }
  if (SaysVersion5(frame.body)) {
    version_ = mqtt::Version::k5;
    SendConnack(false, FaultReason(fault, frame.type), {});
  }
  Reject(fault, frame.type);
}

void Connection::ReadTerms(const mqtt::Connect& packet) {
  const Limits& limits = loop_->limits();
  const auto integer = [&](Property id, std::uint32_t absent) {
    return packet.properties.Integer(id).value_or(absent);
  };
  terms_ = std::make_unique<ClientTerms>(
      static_cast<std::uint16_t>(limits.topic_alias_maximum),
      static_cast<std::uint16_t>(integer(Property::kTopicAliasMaximum, 0)));
  terms_->max_packet_bytes = std::min<std::uint32_t>(
      integer(Property::kMaximumPacketSize, mqtt::kMaxPacketBytes), mqtt::kMaxPacketBytes);
  terms_->problem_info = integer(Property::kRequestProblemInfo, 1) != 0;
  terms_->unacked_max = static_cast<std::uint32_t>(limits.receive_maximum);
}

void Connection::Accept(const mqtt::Connect& packet, const LoginOutcome& login) {
  records_before_ = loop_->log().written();
  const std::string invented = packet.client_id.empty() ? loop_->InventClientId() : std::string();
  AttachRequest request;
  request.client_id = packet.client_id.empty() ? invented : packet.client_id;
  const Reason may = loop_->MayConnect(login, request.client_id, packet.will);
  if (may != Reason::kSuccess) return Refuse(may, Stat::kRefusedNotAuthorized);
  request.login = &login;
  request.clean_start = packet.clean_start;
  request.expiry_s = packet.clean_start ? 0 : kNeverExpires;
  if (version_ == mqtt::Version::k5) {
    request.expiry_s = packet.properties.Integer(Property::kSessionExpiry).value_or(0);
    request.receive_maximum = static_cast<std::uint16_t>(
        packet.properties.Integer(Property::kReceiveMaximum).value_or(kNoReceiveMaximum));
  }
  request.expiry_s = std::min(request.expiry_s, loop_->limits().session_expiry_s());
  if (terms_ != nullptr) terms_->expires = request.expiry_s > 0;
  if (packet.will) TakeWill(*packet.will, &request);
  bool present = false;
  session = loop_->Attach(this, request, &present);
  if (session == nullptr) return Refuse(Reason::kServerBusy, Stat::kRefusedServerUnavailable);

  // A client may be silent for one and a half times what it promised (3.1.1, 3.1.2.10).
  keep_alive_ns_ = KeepAliveSeconds(packet) * kNsPerSecond * 3 / 2;
  ScheduleDeadline();
  const std::string properties = ConnackProperties(packet, request, !invented.empty());
  // 3.1 has no flag for it: the byte is reserved there.
  const bool says_present = present && version_ != mqtt::Version::k31;
  if (!SendConnack(says_present, Reason::kSuccess, mqtt::Properties(properties))) {
    return Close(Stat::kClosedProtocolError);
  }
  accepted_ = true;
  for (const Delivery& delivery : session->Unacknowledged()) {
    if (!SendDelivery(delivery)) session->Discard(delivery.packet_id);
  }
  loop_->Pump(session);
  loop_->TellPresence(*session);  // Perhaps to this client too, so not before its CONNACK.
}

// Only 5.0 can be told another keep alive than it asked for.
std::uint32_t Connection::KeepAliveSeconds(const mqtt::Connect& packet) const {
  const std::uint32_t longest_s = loop_->limits().keep_alive_s();
  const bool is_too_long = packet.keep_alive_s == 0 || packet.keep_alive_s > longest_s;
  const bool may_change = version_ == mqtt::Version::k5 && longest_s < kLongestKeepAliveS;
  return may_change && is_too_long ? longest_s : packet.keep_alive_s;
}

// What differs from what the client asked for, or from what it would assume.
std::string Connection::ConnackProperties(const mqtt::Connect& packet, const AttachRequest& request,
                                          bool is_invented) {
  std::string properties;
  if (version_ != mqtt::Version::k5) return properties;
  const Limits& limits = loop_->limits();
  mqtt::PropertyWriter writer(&properties);
  const auto write = [&](Property id, std::uint64_t value, std::uint64_t assumed) {
    if (value != assumed) writer.Integer(id, static_cast<std::uint32_t>(value));
  };
  write(Property::kSessionExpiry, request.expiry_s,
        packet.properties.Integer(Property::kSessionExpiry).value_or(0));
  write(Property::kTopicAliasMaximum, limits.topic_alias_maximum, 0);
  write(Property::kReceiveMaximum, limits.receive_maximum, kNoReceiveMaximum);
  write(Property::kMaximumPacketSize, limits.max_packet_bytes, mqtt::kMaxPacketBytes);
  if (is_invented) writer.Text(Property::kAssignedClientId, request.client_id);
  write(Property::kServerKeepAlive, KeepAliveSeconds(packet), packet.keep_alive_s);
  if (packet.properties.Integer(Property::kRequestResponseInfo).value_or(0) == 1) {
    writer.Text(Property::kResponseInfo,
                fmt::format("{}/{}", kResponseLevel, mqtt::EncodeClientId(request.client_id)));
  }
  return properties;
}

bool Connection::SendConnack(bool present, Reason reason, mqtt::Properties properties) {
  mqtt::Connack packet{present, static_cast<std::uint8_t>(reason), properties};
  if (version_ != mqtt::Version::k5 && reason != Reason::kSuccess) {
    packet.code = static_cast<std::uint8_t>(OldCode(reason));
  }
  return SendPacket(PacketType::kConnack,
                    [&](std::string* out) { mqtt::EncodeConnack(packet, version_, out); });
}

void Connection::Refuse(Reason reason, Stat counter) {
  loop_->stats().Add(counter);
  SendConnack(false, reason, {});
  Close(Stat::kClosedRefused);
}

}  // namespace atalaya::cloud_server
