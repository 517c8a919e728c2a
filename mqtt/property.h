#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace atalaya::mqtt {

// Property identifiers of MQTT 5.0, section 2.2.2.2.
enum class Property : std::uint8_t {
  kPayloadFormat = 0x01,
  kMessageExpiry = 0x02,
  kContentType = 0x03,
  kResponseTopic = 0x08,
  kCorrelationData = 0x09,
  kSubscriptionId = 0x0B,
  kSessionExpiry = 0x11,
  kAssignedClientId = 0x12,
  kServerKeepAlive = 0x13,
  kAuthMethod = 0x15,
  kAuthData = 0x16,
  kRequestProblemInfo = 0x17,
  kWillDelay = 0x18,
  kRequestResponseInfo = 0x19,
  kResponseInfo = 0x1A,
  kServerReference = 0x1C,
  kReasonString = 0x1F,
  kReceiveMaximum = 0x21,
  kTopicAliasMaximum = 0x22,
  kTopicAlias = 0x23,
  kMaximumQos = 0x24,
  kRetainAvailable = 0x25,
  kUserProperty = 0x26,
  kMaximumPacketSize = 0x27,
  kWildcardAvailable = 0x28,
  kSubscriptionIdAvailable = 0x29,
  kSharedAvailable = 0x2A,
};

enum class PropertyKind : std::uint8_t {
  kNone,  // No such property.
  kByte,
  kTwoBytes,
  kFourBytes,
  kVarint,
  kString,
  kBinary,
  kStringPair,
};
PropertyKind KindOf(std::uint8_t id);

struct PropertyValue {
  Property id{};
  std::uint32_t integer = 0;  // kByte to kVarint.
  std::string_view text;      // kString, kBinary; the name of a kStringPair.
  std::string_view value;     // The value of a kStringPair.
  std::string_view raw;       // Identifier and value as on the wire.
};

// The properties of one 5.0 packet as they stand on the wire, without their length; empty before
// 5.0. What the decoder hands out has been validated: known, allowed in its packet, not repeated,
// values in range. What a caller builds with PropertyWriter must be so too.
class Properties {
 public:
  Properties() = default;
  explicit Properties(std::string_view wire) : rest_(wire) {}

  bool empty() const { return rest_.empty(); }
  std::string_view wire() const { return rest_; }

  // Takes the next one off the front; false at the end. Copy first to walk twice.
  bool Next(PropertyValue* value);

  std::optional<std::uint32_t> Integer(Property id) const;
  std::optional<std::string_view> Text(Property id) const;

 private:
  std::string_view rest_;
};

// Appends properties to a string, in the form Properties reads.
class PropertyWriter {
 public:
  explicit PropertyWriter(std::string* out) : out_(out) {}
  void Integer(Property id, std::uint32_t value);  // Of the width its kind says.
  void Text(Property id, std::string_view text);   // kString or kBinary, at most 65,535 bytes.
  void Pair(std::string_view name, std::string_view value);  // A user property.

 private:
  std::string* out_;
};

}  // namespace atalaya::mqtt
