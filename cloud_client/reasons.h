#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "mqtt/packet.h"

namespace atalaya::cloud_client {

// What a server meant, in words: "not authorized (0x87): ask the administrator"; the part after the
// colon is its reason string, where `properties` hold one. Sources: MQTT 5.0, section 2.4.
std::string ReasonText(mqtt::Reason reason, const mqtt::Properties& properties);

// The same of a CONNACK's code before MQTT 5: "not authorized (code 5)". Source: MQTT 3.1.1,
// section 3.2.2.3.
std::string ConnectCodeText(std::uint8_t code);

}  // namespace atalaya::cloud_client
