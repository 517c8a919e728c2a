#include "mqtt/decode.h"

namespace atalaya::mqtt {

std::string_view PacketTypeName(PacketType type) {
  constexpr std::string_view kNames[] = {"RESERVED",  "CONNECT",  "CONNACK",     "PUBLISH",
                                         "PUBACK",    "PUBREC",   "PUBREL",      "PUBCOMP",
                                         "SUBSCRIBE", "SUBACK",   "UNSUBSCRIBE", "UNSUBACK",
                                         "PINGREQ",   "PINGRESP", "DISCONNECT",  "AUTH"};
  return kNames[static_cast<std::size_t>(type) & 0x0F];
}

std::string_view FaultName(Fault fault) {
  switch (fault) {
    case Fault::kBadLength:
      return "bad_length";
    case Fault::kPacketTooLarge:
      return "packet_too_large";
    case Fault::kBadPacketType:
      return "bad_packet_type";
    case Fault::kBadFlags:
      return "bad_flags";
    case Fault::kTruncated:
      return "truncated";
    case Fault::kTrailingBytes:
      return "trailing_bytes";
    case Fault::kBadUtf8:
      return "bad_utf8";
    case Fault::kBadTopicName:
      return "bad_topic_name";
    case Fault::kNoTopic:
      return "no_topic";
    case Fault::kBadTopicFilter:
      return "bad_topic_filter";
    case Fault::kBadPacketId:
      return "bad_packet_id";
    case Fault::kBadQos:
      return "bad_qos";
    case Fault::kBadSubscribeOptions:
      return "bad_subscribe_options";
    case Fault::kNoFilters:
      return "no_filters";
    case Fault::kBadProtocolName:
      return "bad_protocol_name";
    case Fault::kBadProtocolVersion:
      return "bad_protocol_version";
    case Fault::kBadConnectFlags:
      return "bad_connect_flags";
    case Fault::kBadClientId:
      return "bad_client_id";
    case Fault::kBadReasonCode:
      return "bad_reason_code";
    case Fault::kUnknownProperty:
      return "unknown_property";
    case Fault::kMisplacedProperty:
      return "misplaced_property";
    case Fault::kRepeatedProperty:
      return "repeated_property";
    case Fault::kBadPropertyValue:
      return "bad_property_value";
  }
  return "unknown";
}

Reason FaultReason(Fault fault, PacketType type) {
  const bool asks = type == PacketType::kSubscribe || type == PacketType::kUnsubscribe;
  switch (fault) {
    case Fault::kPacketTooLarge:
      return Reason::kPacketTooLarge;
    case Fault::kBadProtocolName:
    case Fault::kBadProtocolVersion:
      return Reason::kUnsupportedVersion;
    case Fault::kBadClientId:
      return Reason::kClientIdNotValid;
    case Fault::kNoTopic:
    case Fault::kBadPacketId:
    case Fault::kBadReasonCode:
    case Fault::kRepeatedProperty:
      return Reason::kProtocolError;
    case Fault::kMisplacedProperty:
    case Fault::kBadPropertyValue:
      return asks ? Reason::kMalformedPacket : Reason::kProtocolError;
    default:
      return Reason::kMalformedPacket;
  }
}

}  // namespace atalaya::mqtt
