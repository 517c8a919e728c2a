#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "mqtt/packet.h"

namespace atalaya::cloud_server {

// `presence/<client>`: whether a client is connected, as the server's sessions have it. It is told
// to whom it concerns and kept nowhere; a new subscriber gets what the sessions say just then.
struct PresenceStatus {
  std::string topic;
  std::string payload;
};

// `client_id` is encoded in the topic; `since_ms` is UTC; `reason` is a word without quotes.
PresenceStatus MakePresenceStatus(std::string_view client_id, bool online, std::int64_t since_ms,
                                  std::string_view reason);

// What a new subscriber asks each loop.
struct PresenceQuestion {
  std::uint16_t asker = 0;  // The loop of the subscriber.
  std::string client_id;    // Of the subscriber.
  std::string filter;
  mqtt::Qos qos = mqtt::Qos::k0;
  std::uint32_t subscription_id = 0;  // 0: none.
};

// The client id of a filter that can match one client's topic only; "" where it has wildcards or
// is no presence topic.
std::string OnlyClientOf(std::string_view filter);

}  // namespace atalaya::cloud_server
