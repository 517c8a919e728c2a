#include "mqtt/decode_properties.h"

#include "mqtt/topic.h"

namespace atalaya::mqtt {
namespace {

constexpr unsigned Bit(PropertyPlace place) { return 1u << static_cast<unsigned>(place); }

// MQTT 5.0, table 2-4.
unsigned AllowedIn(Property id) {
  using enum PropertyPlace;
  constexpr unsigned kAcks = Bit(kAck) | Bit(kSuback);
  switch (id) {
    case Property::kPayloadFormat:
    case Property::kMessageExpiry:
    case Property::kContentType:
    case Property::kResponseTopic:
    case Property::kCorrelationData:
      return Bit(kPublish) | Bit(kWill);
    case Property::kSubscriptionId:
      return Bit(kPublish) | Bit(kSubscribe);
    case Property::kSessionExpiry:
      return Bit(kConnect) | Bit(kConnack) | Bit(kDisconnect);
    case Property::kWillDelay:
      return Bit(kWill);
    case Property::kRequestProblemInfo:
    case Property::kRequestResponseInfo:
      return Bit(kConnect);
    case Property::kAssignedClientId:
    case Property::kServerKeepAlive:
    case Property::kResponseInfo:
    case Property::kMaximumQos:
    case Property::kRetainAvailable:
    case Property::kWildcardAvailable:
    case Property::kSubscriptionIdAvailable:
    case Property::kSharedAvailable:
      return Bit(kConnack);
    case Property::kAuthMethod:
    case Property::kAuthData:
      return Bit(kConnect) | Bit(kConnack) | Bit(kAuth);
    case Property::kServerReference:
      return Bit(kConnack) | Bit(kDisconnect);
    case Property::kReasonString:
      return Bit(kConnack) | kAcks | Bit(kDisconnect) | Bit(kAuth);
    case Property::kReceiveMaximum:
    case Property::kTopicAliasMaximum:
    case Property::kMaximumPacketSize:
      return Bit(kConnect) | Bit(kConnack);
    case Property::kTopicAlias:
      return Bit(kPublish);
    case Property::kUserProperty:
      return ~0u;
  }
  return 0;
}

// The ranges of section 3.x.2 for each property.
bool InRange(Property id, std::uint32_t value) {
  switch (id) {
    case Property::kPayloadFormat:
    case Property::kRequestProblemInfo:
    case Property::kRequestResponseInfo:
    case Property::kMaximumQos:
    case Property::kRetainAvailable:
    case Property::kWildcardAvailable:
    case Property::kSubscriptionIdAvailable:
    case Property::kSharedAvailable:
      return value <= 1;
    case Property::kSubscriptionId:
    case Property::kReceiveMaximum:
    case Property::kMaximumPacketSize:
      return value >= 1;
    default:
      return true;  // A topic alias of 0 has a reason code of its own, which its reader answers
                    // with.
  }
}

Decoded<void> ReadValue(Reader* reader, Property id) {
  std::uint32_t integer = 0;
  std::string_view text;
  switch (KindOf(static_cast<std::uint8_t>(id))) {
    case PropertyKind::kByte:
      integer = reader->Byte();
      break;
    case PropertyKind::kTwoBytes:
      integer = reader->TwoBytes();
      break;
    case PropertyKind::kFourBytes:
      integer = reader->FourBytes();
      break;
    case PropertyKind::kVarint:
      integer = reader->Varint();
      break;
    case PropertyKind::kString:
      text = reader->Binary();
      if (!IsValidUtf8(text)) return tl::unexpected(Fault::kBadUtf8);
      break;
    case PropertyKind::kBinary:
      reader->Binary();
      break;
    case PropertyKind::kStringPair:
      if (!IsValidUtf8(reader->Binary()) || !IsValidUtf8(reader->Binary())) {
        return tl::unexpected(Fault::kBadUtf8);
      }
      break;
    case PropertyKind::kNone:
      return tl::unexpected(Fault::kUnknownProperty);
  }
  if (!reader->good()) return tl::unexpected(Fault::kTruncated);
  if (!InRange(id, integer)) return tl::unexpected(Fault::kBadPropertyValue);
  if (id == Property::kResponseTopic && !IsValidTopicName(text)) {
    return tl::unexpected(Fault::kBadPropertyValue);
  }
  return {};
}

}  // namespace

Decoded<Properties> TakeProperties(Reader* reader, PropertyPlace place) {
  const std::size_t length = reader->Varint();
  const std::string_view wire = reader->Bytes(length);
  if (!reader->good()) return tl::unexpected(Fault::kTruncated);
  Reader block(wire);
  std::uint64_t seen = 0;
  bool misplaced = false;  // Said last: a block that cannot be read is the worse fault.
  while (!block.AtEnd()) {
    const std::uint8_t byte = block.Byte();
    const auto id = static_cast<Property>(byte);
    if (KindOf(byte) == PropertyKind::kNone) return tl::unexpected(Fault::kUnknownProperty);
    // A server may put several subscription identifiers into one PUBLISH (section 3.3.2.3.8).
    const bool may_repeat = id == Property::kUserProperty ||
                            (id == Property::kSubscriptionId && place == PropertyPlace::kPublish);
    const std::uint64_t bit = std::uint64_t{1} << byte;
    if ((seen & bit) != 0 && !may_repeat) return tl::unexpected(Fault::kRepeatedProperty);
    seen |= bit;
    if (Decoded<void> read = ReadValue(&block, id); !read) return tl::unexpected(read.error());
    misplaced = misplaced || (AllowedIn(id) & Bit(place)) == 0;
  }
  if (misplaced) return tl::unexpected(Fault::kMisplacedProperty);
  return Properties(wire);
}

}  // namespace atalaya::mqtt
