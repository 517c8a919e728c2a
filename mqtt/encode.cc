#include "mqtt/encode.h"

#include "mqtt/wire.h"

namespace atalaya::mqtt {
namespace {

void AppendHeader(PacketType type, unsigned flags, std::size_t remaining, std::string* out) {
  out->push_back(static_cast<char>(static_cast<unsigned>(type) << 4 | flags));
  AppendVarint(remaining, out);
}

std::size_t PropertyBytes(const Properties& properties, Version version) {
  if (version != Version::k5) {
    ATALAYA_CHECK(properties.empty());
    return 0;
  }
  return VarintBytes(properties.wire().size()) + properties.wire().size();
}

void AppendProperties(const Properties& properties, Version version, std::string* out) {
  if (version != Version::k5) return;
  AppendVarint(properties.wire().size(), out);
  out->append(properties.wire());
}

unsigned ConnectFlags(const Connect& packet) {
  unsigned flags = packet.clean_start ? 0x02 : 0;
  if (packet.will) {
    flags |= 0x04 | static_cast<unsigned>(packet.will->qos) << 3 | (packet.will->retain ? 0x20 : 0);
  }
  if (packet.password) flags |= 0x40;
  if (packet.username) flags |= 0x80;
  return flags;
}

std::size_t PublishRemaining(const Publish& packet, Version version) {
  return 2 + packet.topic.size() + (packet.qos == Qos::k0 ? 0 : 2) +
         PropertyBytes(packet.properties, version) + packet.payload.size();
}

}  // namespace

void EncodeConnect(const Connect& packet, std::string* out) {
  const std::string_view name = packet.version == Version::k31 ? "MQIsdp" : "MQTT";
  std::size_t remaining = 2 + name.size() + 4 + PropertyBytes(packet.properties, packet.version) +
                          2 + packet.client_id.size();
  if (packet.will) {
    remaining += PropertyBytes(packet.will->properties, packet.version) + 4 +
                 packet.will->topic.size() + packet.will->payload.size();
  }
  if (packet.username) remaining += 2 + packet.username->size();
  if (packet.password) remaining += 2 + packet.password->size();
  AppendHeader(PacketType::kConnect, 0, remaining, out);
  AppendBinary(name, out);
  out->push_back(static_cast<char>(packet.version));
  out->push_back(static_cast<char>(ConnectFlags(packet)));
  AppendTwoBytes(packet.keep_alive_s, out);
  AppendProperties(packet.properties, packet.version, out);
  AppendBinary(packet.client_id, out);
  if (packet.will) {
    AppendProperties(packet.will->properties, packet.version, out);
    AppendBinary(packet.will->topic, out);
    AppendBinary(packet.will->payload, out);
  }
  if (packet.username) AppendBinary(*packet.username, out);
  if (packet.password) AppendBinary(*packet.password, out);
}

void EncodeConnack(const Connack& packet, Version version, std::string* out) {
  AppendHeader(PacketType::kConnack, 0, 2 + PropertyBytes(packet.properties, version), out);
  out->push_back(packet.session_present ? 1 : 0);
  out->push_back(static_cast<char>(packet.code));
  AppendProperties(packet.properties, version, out);
}

void EncodePublish(const Publish& packet, Version version, std::string* out) {
  EncodePublishHeader(packet, version, out);
  out->append(packet.payload);
}

void EncodePublishHeader(const Publish& packet, Version version, std::string* out) {
  ATALAYA_CHECK((packet.qos == Qos::k0) == (packet.packet_id == 0));
  const unsigned flags = (packet.dup ? 0x08u : 0) | static_cast<unsigned>(packet.qos) << 1 |
                         (packet.retain ? 0x01u : 0);
  AppendHeader(PacketType::kPublish, flags, PublishRemaining(packet, version), out);
  AppendBinary(packet.topic, out);
  if (packet.qos != Qos::k0) AppendTwoBytes(packet.packet_id, out);
  AppendProperties(packet.properties, version, out);
}

std::size_t PublishBytes(const Publish& packet, Version version) {
  const std::size_t remaining = PublishRemaining(packet, version);
  return 1 + VarintBytes(remaining) + remaining;
}

void EncodeAck(const Ack& packet, Version version, std::string* out) {
  ATALAYA_CHECK(packet.packet_id != 0);
  // 5.0 lets a success without properties leave out both (section 3.4.2.1).
  const bool has_properties = !packet.properties.empty();
  const bool has_reason =
      version == Version::k5 && (packet.reason != Reason::kSuccess || has_properties);
  const std::size_t remaining = 2u + (has_reason ? 1u : 0u) +
                                (has_properties ? PropertyBytes(packet.properties, version) : 0u);
  AppendHeader(packet.type, packet.type == PacketType::kPubrel ? 2 : 0, remaining, out);
  AppendTwoBytes(packet.packet_id, out);
  if (has_reason) out->push_back(static_cast<char>(packet.reason));
  if (has_properties) AppendProperties(packet.properties, version, out);
}

void EncodeSubscribe(const Subscribe& packet, Version version, std::string* out) {
  ATALAYA_CHECK(packet.packet_id != 0 && !packet.subscriptions.empty());
  std::size_t remaining = 2 + PropertyBytes(packet.properties, version);
  for (const Subscription& wanted : packet.subscriptions) remaining += 3 + wanted.filter.size();
  AppendHeader(PacketType::kSubscribe, 2, remaining, out);
  AppendTwoBytes(packet.packet_id, out);
  AppendProperties(packet.properties, version, out);
  for (const Subscription& wanted : packet.subscriptions) {
    AppendBinary(wanted.filter, out);
    auto options = static_cast<unsigned>(wanted.qos);
    if (version == Version::k5) {
      options |= (wanted.no_local ? 0x04u : 0) | (wanted.retain_as_published ? 0x08u : 0) |
                 static_cast<unsigned>(wanted.retain_handling) << 4;
    }
    out->push_back(static_cast<char>(options));
  }
}

void EncodeSuback(const Suback& packet, Version version, std::string* out) {
  ATALAYA_CHECK(packet.packet_id != 0);
  AppendHeader(packet.type, 0, 2 + PropertyBytes(packet.properties, version) + packet.codes.size(),
               out);
  AppendTwoBytes(packet.packet_id, out);
  AppendProperties(packet.properties, version, out);
  out->append(packet.codes);
}

void EncodeUnsubscribe(const Unsubscribe& packet, Version version, std::string* out) {
  ATALAYA_CHECK(packet.packet_id != 0 && !packet.filters.empty());
  std::size_t remaining = 2 + PropertyBytes(packet.properties, version);
  for (const std::string_view filter : packet.filters) remaining += 2 + filter.size();
  AppendHeader(PacketType::kUnsubscribe, 2, remaining, out);
  AppendTwoBytes(packet.packet_id, out);
  AppendProperties(packet.properties, version, out);
  for (const std::string_view filter : packet.filters) AppendBinary(filter, out);
}

void EncodePingreq(std::string* out) { AppendHeader(PacketType::kPingreq, 0, 0, out); }

void EncodePingresp(std::string* out) { AppendHeader(PacketType::kPingresp, 0, 0, out); }

void EncodeDisconnect(const Disconnect& packet, Version version, std::string* out) {
  const bool has_properties = !packet.properties.empty();
  const bool has_reason =
      version == Version::k5 && (packet.reason != Reason::kSuccess || has_properties);
  const std::size_t remaining =
      (has_reason ? 1u : 0u) + (has_properties ? PropertyBytes(packet.properties, version) : 0u);
  AppendHeader(packet.type, 0, remaining, out);
  if (has_reason) out->push_back(static_cast<char>(packet.reason));
  if (has_properties) AppendProperties(packet.properties, version, out);
}

}  // namespace atalaya::mqtt
