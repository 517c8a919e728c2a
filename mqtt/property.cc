#include "mqtt/property.h"

#include "base/check.h"
#include "mqtt/wire.h"

namespace atalaya::mqtt {

PropertyKind KindOf(std::uint8_t id) {
  switch (static_cast<Property>(id)) {
    case Property::kPayloadFormat:
    case Property::kRequestProblemInfo:
    case Property::kRequestResponseInfo:
    case Property::kMaximumQos:
    case Property::kRetainAvailable:
    case Property::kWildcardAvailable:
    case Property::kSubscriptionIdAvailable:
    case Property::kSharedAvailable:
      return PropertyKind::kByte;
    case Property::kServerKeepAlive:
    case Property::kReceiveMaximum:
    case Property::kTopicAliasMaximum:
    case Property::kTopicAlias:
      return PropertyKind::kTwoBytes;
    case Property::kMessageExpiry:
    case Property::kSessionExpiry:
    case Property::kWillDelay:
    case Property::kMaximumPacketSize:
      return PropertyKind::kFourBytes;
    case Property::kSubscriptionId:
      return PropertyKind::kVarint;
    case Property::kContentType:
    case Property::kResponseTopic:
    case Property::kAssignedClientId:
    case Property::kAuthMethod:
    case Property::kResponseInfo:
    case Property::kServerReference:
    case Property::kReasonString:
      return PropertyKind::kString;
    case Property::kCorrelationData:
    case Property::kAuthData:
      return PropertyKind::kBinary;
    case Property::kUserProperty:
      return PropertyKind::kStringPair;
  }
  return PropertyKind::kNone;
}

bool Properties::Next(PropertyValue* value) {
  if (rest_.empty()) return false;
  Reader reader(rest_);
  *value = PropertyValue{};
  const std::uint8_t id = reader.Byte();
  value->id = static_cast<Property>(id);
  switch (KindOf(id)) {
    case PropertyKind::kByte:
      value->integer = reader.Byte();
      break;
    case PropertyKind::kTwoBytes:
      value->integer = reader.TwoBytes();
      break;
    case PropertyKind::kFourBytes:
      value->integer = reader.FourBytes();
      break;
    case PropertyKind::kVarint:
      value->integer = reader.Varint();
      break;
    case PropertyKind::kString:
    case PropertyKind::kBinary:
      value->text = reader.Binary();
      break;
    case PropertyKind::kStringPair:
      value->text = reader.Binary();
      value->value = reader.Binary();
      break;
    case PropertyKind::kNone:
      reader.Spoil();
      break;
  }
  ATALAYA_CHECK(reader.good());
  value->raw = rest_.substr(0, rest_.size() - reader.rest().size());
  rest_ = reader.rest();
  return true;
}

std::optional<std::uint32_t> Properties::Integer(Property id) const {
  Properties walk = *this;
  PropertyValue value;
  while (walk.Next(&value)) {
    if (value.id == id) return value.integer;
  }
  return std::nullopt;
}

std::optional<std::string_view> Properties::Text(Property id) const {
  Properties walk = *this;
  PropertyValue value;
  while (walk.Next(&value)) {
    if (value.id == id) return value.text;
  }
  return std::nullopt;
}

void PropertyWriter::Integer(Property id, std::uint32_t value) {
  out_->push_back(static_cast<char>(id));
  switch (KindOf(static_cast<std::uint8_t>(id))) {
    case PropertyKind::kByte:
      out_->push_back(static_cast<char>(value));
      return;
    case PropertyKind::kTwoBytes:
      AppendTwoBytes(static_cast<std::uint16_t>(value), out_);
      return;
    case PropertyKind::kFourBytes:
      AppendTwoBytes(static_cast<std::uint16_t>(value >> 16), out_);
      AppendTwoBytes(static_cast<std::uint16_t>(value), out_);
      return;
    case PropertyKind::kVarint:
      AppendVarint(value, out_);
      return;
    default:
      ATALAYA_CHECK(false);
  }
}

void PropertyWriter::Text(Property id, std::string_view text) {
  const PropertyKind kind = KindOf(static_cast<std::uint8_t>(id));
  ATALAYA_CHECK(kind == PropertyKind::kString || kind == PropertyKind::kBinary);
  out_->push_back(static_cast<char>(id));
  AppendBinary(text, out_);
}

void PropertyWriter::Pair(std::string_view name, std::string_view value) {
  out_->push_back(static_cast<char>(Property::kUserProperty));
  AppendBinary(name, out_);
  AppendBinary(value, out_);
}

}  // namespace atalaya::mqtt
