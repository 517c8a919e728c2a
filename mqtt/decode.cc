#include "mqtt/decode.h"

#include "base/check.h"
#include "mqtt/decode_properties.h"
#include "mqtt/topic.h"
#include "mqtt/wire.h"

namespace atalaya::mqtt {
namespace {

constexpr unsigned kFlagsWithTwo = 2;  // PUBREL, SUBSCRIBE and UNSUBSCRIBE carry 0010.

tl::unexpected<Fault> Fail(Fault fault) { return tl::unexpected<Fault>(fault); }

Fault EndFault(const Reader& reader) {
  return reader.good() ? Fault::kTrailingBytes : Fault::kTruncated;
}

// Properties of a 5.0 packet; nothing is read before 5.0.
Decoded<Properties> MaybeProperties(Reader* reader, Version version, PropertyPlace place) {
  if (version != Version::k5) return Properties();
  return TakeProperties(reader, place);
}

// What follows in PUBACK, DISCONNECT and their like: nothing, a reason, or a reason and properties.
struct ReasonTail {
  Reason reason = Reason::kSuccess;
  Properties properties;
};

Decoded<ReasonTail> TakeReasonTail(Reader* reader, Version version, PropertyPlace place) {
  ReasonTail tail;
  if (version == Version::k5 && !reader->AtEnd()) {
    tail.reason = static_cast<Reason>(reader->Byte());
    if (!reader->AtEnd()) {
      Decoded<Properties> properties = TakeProperties(reader, place);
      if (!properties) return Fail(properties.error());
      tail.properties = *properties;
    }
  }
  if (!reader->good() || !reader->AtEnd()) return Fail(EndFault(*reader));
  return tail;
}

// Tables 3.4.2.1, 3.5.2.1, 3.6.2.1 and 3.7.2.1 of 5.0.
bool MayCarry(PacketType type, Reason reason) {
  switch (reason) {
    case Reason::kSuccess:
      return true;
    case Reason::kPacketIdNotFound:
      return type == PacketType::kPubrel || type == PacketType::kPubcomp;
    case Reason::kNoMatchingSubscribers:
    case Reason::kUnspecified:
    case Reason::kImplementationError:
    case Reason::kNotAuthorized:
    case Reason::kTopicNameInvalid:
    case Reason::kPacketIdInUse:
    case Reason::kQuotaExceeded:
    case Reason::kPayloadFormatInvalid:
      return type == PacketType::kPuback || type == PacketType::kPubrec;
    default:
      return false;
  }
}

Decoded<Version> TakeProtocol(Reader* reader) {
  const std::string_view name = reader->Binary();
  const std::uint8_t level = reader->Byte();
  if (!reader->good()) return Fail(Fault::kTruncated);
  if (name == "MQIsdp") {
    if (level == 3) return Version::k31;
    return Fail(Fault::kBadProtocolVersion);
  }
  if (name != "MQTT") return Fail(Fault::kBadProtocolName);
  if (level == 4) return Version::k311;
  if (level == 5) return Version::k5;
  return Fail(Fault::kBadProtocolVersion);
}

struct ConnectBits {
  bool clean, will, will_retain, password, username;
  unsigned will_qos;
};

Decoded<ConnectBits> SplitConnectFlags(std::uint8_t flags, Version version) {
  const ConnectBits bits{(flags & 0x02) != 0, (flags & 0x04) != 0, (flags & 0x20) != 0,
                         (flags & 0x40) != 0, (flags & 0x80) != 0, (flags >> 3) & 0x03u};
  // 3.1 neither reserves the lowest bit nor ties the others to each other.
  if (bits.will_qos == 3) return Fail(Fault::kBadConnectFlags);
  if (version == Version::k31) return bits;
  if ((flags & 0x01) != 0) return Fail(Fault::kBadConnectFlags);
  if (!bits.will && (bits.will_qos != 0 || bits.will_retain)) return Fail(Fault::kBadConnectFlags);
  // 5.0 allows a password alone (section 3.1.2.9), 3.1.1 does not (MQTT-3.1.2-22).
  if (version == Version::k311 && bits.password && !bits.username) {
    return Fail(Fault::kBadConnectFlags);
  }
  return bits;
}

Decoded<Will> TakeWill(Reader* reader, const ConnectBits& bits, Version version) {
  Will will;
  Decoded<Properties> properties = MaybeProperties(reader, version, PropertyPlace::kWill);
  if (!properties) return Fail(properties.error());
  will.properties = *properties;
  will.topic = reader->Binary();
  will.payload = reader->Binary();
  will.qos = static_cast<Qos>(bits.will_qos);
  will.retain = bits.will_retain;
  if (!reader->good()) return Fail(Fault::kTruncated);
  if (!IsValidUtf8(will.topic)) return Fail(Fault::kBadUtf8);
  if (!IsValidTopicName(will.topic)) return Fail(Fault::kBadTopicName);
  return will;
}

// The payload of a CONNECT: client id, will, user name and password, in this order.
Decoded<void> TakeConnectPayload(Reader* reader, const ConnectBits& bits, Connect* packet) {
  packet->client_id = reader->Binary();
  if (!IsValidUtf8(packet->client_id)) return Fail(Fault::kBadUtf8);
  if (bits.will) {
    Decoded<Will> will = TakeWill(reader, bits, packet->version);
    if (!will) return Fail(will.error());
    packet->will = *will;
  }
  if (bits.username) {
    packet->username = reader->Binary();
    if (!IsValidUtf8(*packet->username)) return Fail(Fault::kBadUtf8);
  }
  if (bits.password) packet->password = reader->Binary();
  if (!reader->good() || !reader->AtEnd()) return Fail(EndFault(*reader));
  return {};
}

Decoded<Subscription> TakeSubscription(Reader* reader, Version version) {
  Subscription wanted;
  wanted.filter = reader->Binary();
  const std::uint8_t options = reader->Byte();
  if (!reader->good()) return Fail(Fault::kTruncated);
  if (!IsValidUtf8(wanted.filter)) return Fail(Fault::kBadUtf8);
  if (!IsValidTopicFilter(wanted.filter)) return Fail(Fault::kBadTopicFilter);
  const unsigned reserved = version == Version::k5 ? 0xC0 : version == Version::k311 ? 0xFC : 0;
  if ((options & reserved) != 0) return Fail(Fault::kBadSubscribeOptions);
  if ((options & 0x03) == 3) return Fail(Fault::kBadQos);
  wanted.qos = static_cast<Qos>(options & 0x03);
  if (version == Version::k5) {
    wanted.no_local = (options & 0x04) != 0;
    wanted.retain_as_published = (options & 0x08) != 0;
    wanted.retain_handling = static_cast<std::uint8_t>(options >> 4 & 0x03);
    if (wanted.retain_handling == 3) return Fail(Fault::kBadSubscribeOptions);
  }
  return wanted;
}

// The packet id and the properties that SUBSCRIBE, UNSUBSCRIBE and their answers begin with.
struct IdHead {
  std::uint16_t packet_id = 0;
  Properties properties;
};

Decoded<IdHead> TakeIdHead(Reader* reader, Version version, PropertyPlace place) {
  IdHead head;
  head.packet_id = reader->TwoBytes();
  if (!reader->good()) return Fail(Fault::kTruncated);
  if (head.packet_id == 0) return Fail(Fault::kBadPacketId);
  Decoded<Properties> properties = MaybeProperties(reader, version, place);
  if (!properties) return Fail(properties.error());
  head.properties = *properties;
  return head;
}

// 3.1 gives SUBSCRIBE, UNSUBSCRIBE and PUBREL a DUP flag besides QoS 1.
bool HasRequestFlags(const Frame& frame, Version version) {
  const unsigned ignored = version == Version::k31 ? 0x08 : 0;
  return (frame.flags & ~ignored) == kFlagsWithTwo;
}

}  // namespace

Decoded<Frame> NextFrame(std::string_view buffer, std::size_t max_packet_bytes) {
  Frame frame;
  if (buffer.empty()) return frame;
  const auto first = static_cast<std::uint8_t>(buffer.front());
  frame.type = static_cast<PacketType>(first >> 4);
  frame.flags = first & 0x0F;
  if (first >> 4 == 0) return Fail(Fault::kBadPacketType);
  std::size_t length = 0;
  std::size_t at = 1;
  for (unsigned shift = 0;; shift += 7) {
    if (shift == 28) return Fail(Fault::kBadLength);
    if (at == buffer.size()) return frame;
    const auto byte = static_cast<std::uint8_t>(buffer[at++]);
    length |= static_cast<std::size_t>(byte & 0x7F) << shift;
    if ((byte & 0x80) == 0) {
      if (byte == 0 && shift > 0) return Fail(Fault::kBadLength);  // Not the shortest form.
      break;
    }
  }
  if (at + length > max_packet_bytes) return Fail(Fault::kPacketTooLarge);
  if (buffer.size() - at < length) return frame;
  frame.body = buffer.substr(at, length);
  frame.size = at + length;
  return frame;
}

Decoded<Connect> DecodeConnect(const Frame& frame) {
  ATALAYA_CHECK(frame.type == PacketType::kConnect);
  Reader reader(frame.body);
  Connect packet;
  Decoded<Version> version = TakeProtocol(&reader);
  if (!version) return Fail(version.error());
  packet.version = *version;
  if (packet.version != Version::k31 && frame.flags != 0) return Fail(Fault::kBadFlags);
  const std::uint8_t flags = reader.Byte();
  packet.keep_alive_s = reader.TwoBytes();
  if (!reader.good()) return Fail(Fault::kTruncated);
  Decoded<ConnectBits> bits = SplitConnectFlags(flags, packet.version);
  if (!bits) return Fail(bits.error());
  packet.clean_start = bits->clean;
  Decoded<Properties> properties =
      MaybeProperties(&reader, packet.version, PropertyPlace::kConnect);
  if (!properties) return Fail(properties.error());
  packet.properties = *properties;
  if (packet.properties.Text(Property::kAuthData) &&
      !packet.properties.Text(Property::kAuthMethod)) {
    return Fail(Fault::kMisplacedProperty);  // Section 3.1.2.11.10 of 5.0.
  }
  if (Decoded<void> taken = TakeConnectPayload(&reader, *bits, &packet); !taken) {
    return Fail(taken.error());
  }
  const bool needs_id =
      packet.version == Version::k31 || (packet.version == Version::k311 && !packet.clean_start);
  if (packet.client_id.empty() && needs_id) return Fail(Fault::kBadClientId);
  return packet;
}

Decoded<Connack> DecodeConnack(const Frame& frame, Version version) {
  ATALAYA_CHECK(frame.type == PacketType::kConnack);
  if (frame.flags != 0) return Fail(Fault::kBadFlags);
  Reader reader(frame.body);
  Connack packet;
  const std::uint8_t flags = reader.Byte();
  packet.session_present = (flags & 0x01) != 0;
  packet.code = reader.Byte();
  Decoded<Properties> properties = MaybeProperties(&reader, version, PropertyPlace::kConnack);
  if (!properties) return Fail(properties.error());
  packet.properties = *properties;
  if (!reader.good() || !reader.AtEnd()) return Fail(EndFault(reader));
  if ((flags & 0xFE) != 0 && version != Version::k31) return Fail(Fault::kBadFlags);
  const bool known =
      version == Version::k5 ? packet.code == 0 || packet.code >= 0x80 : packet.code <= 5;
  if (!known) return Fail(Fault::kBadReasonCode);
  return packet;
}

Decoded<Publish> DecodePublish(const Frame& frame, Version version) {
  ATALAYA_CHECK(frame.type == PacketType::kPublish);
  Publish packet;
  const unsigned qos = frame.flags >> 1 & 0x03u;
  packet.dup = (frame.flags & 0x08) != 0;
  packet.retain = (frame.flags & 0x01) != 0;
  if (qos == 3 || (qos == 0 && packet.dup && version != Version::k31)) return Fail(Fault::kBadQos);
  packet.qos = static_cast<Qos>(qos);
  Reader reader(frame.body);
  packet.topic = reader.Binary();
  if (qos != 0) packet.packet_id = reader.TwoBytes();
  if (!reader.good()) return Fail(Fault::kTruncated);
  if (qos != 0 && packet.packet_id == 0) return Fail(Fault::kBadPacketId);
  if (version == Version::k5) {
    Decoded<Properties> properties = TakeProperties(&reader, PropertyPlace::kPublish);
    if (!properties) return Fail(properties.error());
    packet.properties = *properties;
  }
  packet.payload = reader.rest();
  if (!IsValidUtf8(packet.topic)) return Fail(Fault::kBadUtf8);
  // 5.0: an empty topic stands for an alias.
  if (packet.topic.empty() && version == Version::k5) {
    if (!packet.properties.Integer(Property::kTopicAlias)) return Fail(Fault::kNoTopic);
    return packet;
  }
  if (!IsValidTopicName(packet.topic)) return Fail(Fault::kBadTopicName);
  return packet;
}

Decoded<Ack> DecodeAck(const Frame& frame, Version version) {
  ATALAYA_CHECK(frame.type >= PacketType::kPuback && frame.type <= PacketType::kPubcomp);
  const bool good_flags =
      frame.type == PacketType::kPubrel ? HasRequestFlags(frame, version) : frame.flags == 0;
  if (!good_flags) return Fail(Fault::kBadFlags);
  Reader reader(frame.body);
  Ack packet;
  packet.type = frame.type;
  packet.packet_id = reader.TwoBytes();
  if (!reader.good()) return Fail(Fault::kTruncated);
  Decoded<ReasonTail> tail = TakeReasonTail(&reader, version, PropertyPlace::kAck);
  if (!tail) return Fail(tail.error());
  packet.reason = tail->reason;
  packet.properties = tail->properties;
  if (packet.packet_id == 0) return Fail(Fault::kBadPacketId);
  if (!MayCarry(packet.type, packet.reason)) return Fail(Fault::kBadReasonCode);
  return packet;
}

Decoded<Subscribe> DecodeSubscribe(const Frame& frame, Version version) {
  ATALAYA_CHECK(frame.type == PacketType::kSubscribe);
  if (!HasRequestFlags(frame, version)) return Fail(Fault::kBadFlags);
  Reader reader(frame.body);
  Decoded<IdHead> head = TakeIdHead(&reader, version, PropertyPlace::kSubscribe);
  if (!head) return Fail(head.error());
  Subscribe packet;
  packet.packet_id = head->packet_id;
  packet.properties = head->properties;
  while (!reader.AtEnd()) {
    Decoded<Subscription> wanted = TakeSubscription(&reader, version);
    if (!wanted) return Fail(wanted.error());
    packet.subscriptions.push_back(*wanted);
  }
  if (packet.subscriptions.empty()) return Fail(Fault::kNoFilters);
  return packet;
}

Decoded<Suback> DecodeSuback(const Frame& frame, Version version) {
  ATALAYA_CHECK(frame.type == PacketType::kSuback || frame.type == PacketType::kUnsuback);
  if (frame.flags != 0) return Fail(Fault::kBadFlags);
  Reader reader(frame.body);
  Decoded<IdHead> head = TakeIdHead(&reader, version, PropertyPlace::kSuback);
  if (!head) return Fail(head.error());
  const bool may_be_empty = frame.type == PacketType::kUnsuback && version != Version::k5;
  if (reader.AtEnd() != may_be_empty) {
    return Fail(may_be_empty ? Fault::kTrailingBytes : Fault::kTruncated);
  }
  Suback packet;
  packet.type = frame.type;
  packet.packet_id = head->packet_id;
  packet.properties = head->properties;
  packet.codes = reader.rest();
  return packet;
}

Decoded<Unsubscribe> DecodeUnsubscribe(const Frame& frame, Version version) {
  ATALAYA_CHECK(frame.type == PacketType::kUnsubscribe);
  if (!HasRequestFlags(frame, version)) return Fail(Fault::kBadFlags);
  Reader reader(frame.body);
  Decoded<IdHead> head = TakeIdHead(&reader, version, PropertyPlace::kUnsubscribe);
  if (!head) return Fail(head.error());
  Unsubscribe packet;
  packet.packet_id = head->packet_id;
  packet.properties = head->properties;
  while (!reader.AtEnd()) {
    const std::string_view filter = reader.Binary();
    if (!reader.good()) return Fail(Fault::kTruncated);
    if (!IsValidUtf8(filter)) return Fail(Fault::kBadUtf8);
    if (!IsValidTopicFilter(filter)) return Fail(Fault::kBadTopicFilter);
    packet.filters.push_back(filter);
  }
  if (packet.filters.empty()) return Fail(Fault::kNoFilters);
  return packet;
}

Decoded<void> DecodePing(const Frame& frame) {
  ATALAYA_CHECK(frame.type == PacketType::kPingreq || frame.type == PacketType::kPingresp);
  if (frame.flags != 0) return Fail(Fault::kBadFlags);
  if (!frame.body.empty()) return Fail(Fault::kTrailingBytes);
  return {};
}

Decoded<Disconnect> DecodeDisconnect(const Frame& frame, Version version) {
  ATALAYA_CHECK(frame.type == PacketType::kDisconnect || frame.type == PacketType::kAuth);
  if (frame.flags != 0) return Fail(Fault::kBadFlags);
  if (frame.type == PacketType::kAuth && version != Version::k5) return Fail(Fault::kBadPacketType);
  Reader reader(frame.body);
  const bool is_auth = frame.type == PacketType::kAuth;
  Decoded<ReasonTail> tail =
      TakeReasonTail(&reader, version, is_auth ? PropertyPlace::kAuth : PropertyPlace::kDisconnect);
  if (!tail) return Fail(tail.error());
  Disconnect packet;
  packet.type = frame.type;
  packet.reason = tail->reason;
  packet.properties = tail->properties;
  const auto code = static_cast<std::uint8_t>(packet.reason);
  // AUTH: success, continue, re-authenticate (3.15.2.1); DISCONNECT: 0, 4 and errors (3.14.2.1).
  const bool known =
      is_auth ? code == 0 || code == 0x18 || code == 0x19 : code == 0 || code == 4 || code >= 0x80;
  if (!known) return Fail(Fault::kBadReasonCode);
  return packet;
}

}  // namespace atalaya::mqtt
