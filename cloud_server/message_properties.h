#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "mqtt/property.h"

// Which properties of a PUBLISH are between the publisher and us, which between us and a
// subscriber, and which go through unaltered (5.0, 3.3.2.3).
namespace atalaya::cloud_server {

inline constexpr std::int64_t kNsPerSecond = 1'000'000'000;

struct PublisherProperties {
  mqtt::Properties passed_on;  // Unaltered and in order.
  std::optional<std::uint32_t> expiry_s;
  std::optional<std::uint32_t> topic_alias;
  bool has_subscription_id = false;  // A protocol error: those are ours to send (MQTT-3.3.4-6).
};

// Takes apart what a publisher sent. `passed_on` lives as long as `all` and `*scratch`.
PublisherProperties TakePublisherProperties(mqtt::Properties all, std::string* scratch);

// Puts together what a subscriber gets. The result lives as long as `passed_on` and `*scratch`.
// `alias` is 0 for none.
mqtt::Properties SubscriberProperties(mqtt::Properties passed_on,
                                      std::optional<std::uint32_t> expiry_s, std::uint16_t alias,
                                      const std::vector<std::uint32_t>& subscription_ids,
                                      std::string* scratch);

// What is left of a message's lifetime, in seconds begun; nullopt where `expires_ns` is 0: for
// ever. 0: it is over. Both times are of the steady clock.
std::optional<std::uint32_t> RemainingSeconds(std::int64_t expires_ns, std::int64_t now_ns);

}  // namespace atalaya::cloud_server
