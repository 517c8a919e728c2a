#pragma once

#include "cloud_server/durable_record.h"
#include "cloud_server/durable_state.h"
#include "cloud_server/message.h"

namespace atalaya::cloud_server {

// What the journal keeps of a message. The result points into it.
inline MessageFields FieldsOf(const Message& message, const ClockPair& clocks) {
  return {message.topic(), message.properties().wire(), message.payload(),
          static_cast<std::uint8_t>(static_cast<unsigned>(message.qos()) |
                                    (message.retain() ? MessageFields::kRetainBit : 0u)),
          clocks.ToUtc(message.expires_ns())};
}

inline MessageFields FieldsOf(const mqtt::Publish& packet, std::int64_t expires_ns,
                              const ClockPair& clocks) {
  return {packet.topic, packet.properties.wire(), packet.payload,
          static_cast<std::uint8_t>(static_cast<unsigned>(packet.qos) |
                                    (packet.retain ? MessageFields::kRetainBit : 0u)),
          clocks.ToUtc(expires_ns)};
}

}  // namespace atalaya::cloud_server
