#include "cloud_server/presence.h"

#include <fmt/format.h>

#include "base/clock.h"
#include "cloud_server/own_topics.h"
#include "mqtt/client_level.h"
#include "mqtt/topic.h"

namespace atalaya::cloud_server {

PresenceStatus MakePresenceStatus(std::string_view client_id, bool online, std::int64_t since_ms,
                                  std::string_view reason) {
  return {fmt::format("{}/{}", kPresenceLevel, mqtt::EncodeClientId(client_id)),
          fmt::format(R"({{"status":"{}","since":"{}","reason":"{}"}})",
                      online ? "online" : "offline", FormatRfc3339(since_ms), reason)};
}

std::string OnlyClientOf(std::string_view filter) {
  if (!IsUnder(filter, kPresenceLevel) || filter.size() < kPresenceLevel.size() + 2) return "";
  const std::string_view level = filter.substr(kPresenceLevel.size() + 1);
  return mqtt::IsValidTopicName(level) ? mqtt::DecodeClientId(level) : "";
}

}  // namespace atalaya::cloud_server
