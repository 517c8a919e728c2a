#pragma once

#include <cstddef>
#include <string_view>
#include <tl/expected.hpp>

#include "mqtt/packet.h"

// From bytes to packets, without copying. Any byte sequence is safe to decode; none is partly
// taken: a decoder returns a whole valid packet or one Fault.
namespace atalaya::mqtt {

// Why bytes are no valid packet. After any of them the connection must be closed.
enum class Fault : std::uint8_t {
  kBadLength,            // The remaining length is no variable byte integer of at most 4 bytes.
  kPacketTooLarge,       // Longer than the limit handed to NextFrame.
  kBadPacketType,        // Type 0, or AUTH before 5.0.
  kBadFlags,             // Reserved bits of the fixed header.
  kTruncated,            // A field reaches beyond the packet's end.
  kTrailingBytes,        // Bytes after the last field.
  kBadUtf8,              // Ill-formed, or with U+0000, control characters or noncharacters.
  kBadTopicName,         // Empty, or with a wildcard.
  kNoTopic,              // A PUBLISH of 5.0 with neither a topic nor an alias.
  kBadTopicFilter,       // Empty, or with a misplaced wildcard.
  kBadPacketId,          // 0.
  kBadQos,               // 3, or DUP with QoS 0.
  kBadSubscribeOptions,  // Reserved bits of a filter's options.
  kNoFilters,            // SUBSCRIBE or UNSUBSCRIBE without one.
  kBadProtocolName,      // Neither "MQTT" nor "MQIsdp".
  kBadProtocolVersion,   // A version nobody here speaks: answered with a CONNACK before closing.
  kBadConnectFlags,      // Reserved or contradicting bits.
  kBadClientId,          // Empty where the version does not allow it.
  kBadReasonCode,        // None that the packet may carry.
  kUnknownProperty,
  kMisplacedProperty,  // Not allowed in this packet.
  kRepeatedProperty,
  kBadPropertyValue,
};

inline constexpr std::size_t kFaultCount = static_cast<std::size_t>(Fault::kBadPropertyValue) + 1;

std::string_view FaultName(Fault fault);  // "bad_length": fit for a metric's label.

// What a 5.0 DISCONNECT or CONNACK says of a fault in a packet of `type`. Where the standard leaves
// open whether something is malformed (0x81) or a protocol error (0x82), section 4.13.1 allows
// both, and other servers' choice is ours.
Reason FaultReason(Fault fault, PacketType type);

template <typename T>
using Decoded = tl::expected<T, Fault>;

// One packet as framed by its fixed header.
struct Frame {
  PacketType type{};
  std::uint8_t flags = 0;  // The low four bits of the first byte.
  std::string_view body;   // After the fixed header.
  std::size_t size = 0;    // Of the whole packet; 0: `buffer` does not hold a whole one yet.
};

// Reads the frame at the front of `buffer`. Refuses a packet over `max_packet_bytes` (fixed header
// included) as soon as its length is known, so that nobody has to buffer it.
Decoded<Frame> NextFrame(std::string_view buffer, std::size_t max_packet_bytes);

// The decoders take a whole frame of their type. `version` is the connection's, from its CONNECT.
Decoded<Connect> DecodeConnect(const Frame& frame);
Decoded<Connack> DecodeConnack(const Frame& frame, Version version);
Decoded<Publish> DecodePublish(const Frame& frame, Version version);
Decoded<Ack> DecodeAck(const Frame& frame, Version version);
Decoded<Subscribe> DecodeSubscribe(const Frame& frame, Version version);
Decoded<Suback> DecodeSuback(const Frame& frame, Version version);
Decoded<Unsubscribe> DecodeUnsubscribe(const Frame& frame, Version version);
Decoded<void> DecodePing(const Frame& frame);                               // PINGREQ and PINGRESP.
Decoded<Disconnect> DecodeDisconnect(const Frame& frame, Version version);  // Also AUTH.

}  // namespace atalaya::mqtt
