#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mqtt/property.h"

// MQTT control packets as plain structs. Every string_view of a decoded packet points into the
// buffer that was decoded and lives as long as it. Sources: OASIS MQTT 3.1.1 and 5.0, chapter 3;
// MQTT 3.1 (IBM and Eurotech).
namespace atalaya::mqtt {

enum class Version : std::uint8_t { k31 = 3, k311 = 4, k5 = 5 };

enum class PacketType : std::uint8_t {
  kConnect = 1,
  kConnack = 2,
  kPublish = 3,
  kPuback = 4,
  kPubrec = 5,
  kPubrel = 6,
  kPubcomp = 7,
  kSubscribe = 8,
  kSuback = 9,
  kUnsubscribe = 10,
  kUnsuback = 11,
  kPingreq = 12,
  kPingresp = 13,
  kDisconnect = 14,
  kAuth = 15,
};

// "PUBLISH"; "RESERVED" for 0.
std::string_view PacketTypeName(PacketType type);

enum class Qos : std::uint8_t { k0 = 0, k1 = 1, k2 = 2 };

// The largest packet that MQTT can express: a fixed header of 5 bytes and 268,435,455 bytes.
inline constexpr std::size_t kMaxPacketBytes = 268'435'455 + 5;

// CONNACK return codes of 3.1 and 3.1.1.
enum class ConnectCode : std::uint8_t {
  kAccepted = 0,
  kBadVersion = 1,
  kBadClientId = 2,
  kUnavailable = 3,
  kBadCredentials = 4,
  kNotAuthorized = 5,
};

// Reason codes of 5.0 (section 2.4); those that nobody sends or asks for yet are numbers in
// between.
enum class Reason : std::uint8_t {
  kSuccess = 0x00,  // Also normal disconnection and granted QoS 0.
  kDisconnectWithWill = 0x04,
  kNoMatchingSubscribers = 0x10,
  kNoSubscriptionExisted = 0x11,
  kUnspecified = 0x80,
  kMalformedPacket = 0x81,
  kProtocolError = 0x82,
  kImplementationError = 0x83,
  kUnsupportedVersion = 0x84,
  kClientIdNotValid = 0x85,
  kBadCredentials = 0x86,
  kNotAuthorized = 0x87,
  kServerUnavailable = 0x88,
  kServerBusy = 0x89,
  kBanned = 0x8A,
  kServerShuttingDown = 0x8B,
  kBadAuthenticationMethod = 0x8C,
  kKeepAliveTimeout = 0x8D,
  kSessionTakenOver = 0x8E,
  kTopicFilterInvalid = 0x8F,
  kTopicNameInvalid = 0x90,
  kPacketIdInUse = 0x91,
  kPacketIdNotFound = 0x92,
  kReceiveMaximumExceeded = 0x93,
  kTopicAliasInvalid = 0x94,
  kPacketTooLarge = 0x95,
  kMessageRateTooHigh = 0x96,
  kQuotaExceeded = 0x97,
  kAdministrativeAction = 0x98,
  kPayloadFormatInvalid = 0x99,
  kQosNotSupported = 0x9B,
  kSharedNotSupported = 0x9E,
  kUseAnotherServer = 0x9C,
  kConnectionRateExceeded = 0x9F,
};

struct Will {
  std::string_view topic;
  std::string_view payload;
  Qos qos = Qos::k0;
  bool retain = false;
  Properties properties;
};

struct Connect {
  Version version = Version::k311;
  bool clean_start = true;  // 3.1 and 3.1.1: clean session.
  std::uint16_t keep_alive_s = 0;
  std::string_view client_id;
  std::optional<Will> will;
  std::optional<std::string_view> username;
  std::optional<std::string_view> password;
  Properties properties;
};

struct Connack {
  bool session_present = false;
  std::uint8_t code = 0;  // ConnectCode before 5.0, Reason in 5.0.
  Properties properties;
};

struct Publish {
  std::string_view topic;  // Empty only in 5.0, with a topic alias.
  std::string_view payload;
  std::uint16_t packet_id = 0;  // 0 exactly when QoS 0.
  Qos qos = Qos::k0;
  bool retain = false;
  bool dup = false;
  Properties properties;
};

// PUBACK, PUBREC, PUBREL and PUBCOMP.
struct Ack {
  PacketType type = PacketType::kPuback;
  std::uint16_t packet_id = 0;
  Reason reason = Reason::kSuccess;  // Always kSuccess before 5.0.
  Properties properties;
};

struct Subscription {
  std::string_view filter;
  Qos qos = Qos::k0;  // The highest that the subscriber wants.
  bool no_local = false;
  bool retain_as_published = false;
  std::uint8_t retain_handling = 0;  // 0 send, 1 send if new, 2 do not send.
};

struct Subscribe {
  std::uint16_t packet_id = 0;
  std::vector<Subscription> subscriptions;  // At least one.
  Properties properties;
};

struct Unsubscribe {
  std::uint16_t packet_id = 0;
  std::vector<std::string_view> filters;  // At least one.
  Properties properties;
};

// SUBACK and UNSUBACK. `codes` has a byte for each filter, in order: the granted QoS or 0x80 and
// above; empty in an UNSUBACK before 5.0.
struct Suback {
  PacketType type = PacketType::kSuback;
  std::uint16_t packet_id = 0;
  std::string_view codes;
  Properties properties;
};

// DISCONNECT, and AUTH (5.0 only).
struct Disconnect {
  PacketType type = PacketType::kDisconnect;
  Reason reason = Reason::kSuccess;
  Properties properties;
};

}  // namespace atalaya::mqtt
