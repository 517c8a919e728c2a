#include "cloud_server/message_properties.h"

namespace atalaya::cloud_server {

using mqtt::Property;

PublisherProperties TakePublisherProperties(mqtt::Properties all, std::string* scratch) {
  PublisherProperties taken;
  taken.passed_on = all;
  mqtt::PropertyValue value;
  for (mqtt::Properties walk = all; walk.Next(&value);) {
    if (value.id == Property::kMessageExpiry) taken.expiry_s = value.integer;
    if (value.id == Property::kTopicAlias) taken.topic_alias = value.integer;
    if (value.id == Property::kSubscriptionId) taken.has_subscription_id = true;
  }
  if (!taken.expiry_s && !taken.topic_alias) return taken;
  scratch->clear();
  for (mqtt::Properties walk = all; walk.Next(&value);) {
    if (value.id != Property::kMessageExpiry && value.id != Property::kTopicAlias) {
      scratch->append(value.raw);
    }
  }
  taken.passed_on = mqtt::Properties(*scratch);
  return taken;
}

mqtt::Properties SubscriberProperties(mqtt::Properties passed_on,
                                      std::optional<std::uint32_t> expiry_s, std::uint16_t alias,
                                      const std::vector<std::uint32_t>& subscription_ids,
                                      std::string* scratch) {
  if (!expiry_s && alias == 0 && subscription_ids.empty()) return passed_on;
  scratch->clear();
  mqtt::PropertyWriter writer(scratch);
  if (expiry_s) writer.Integer(Property::kMessageExpiry, *expiry_s);
  if (alias != 0) writer.Integer(Property::kTopicAlias, alias);
  for (const std::uint32_t id : subscription_ids) writer.Integer(Property::kSubscriptionId, id);
  scratch->append(passed_on.wire());
  return mqtt::Properties(*scratch);
}

std::optional<std::uint32_t> RemainingSeconds(std::int64_t expires_ns, std::int64_t now_ns) {
  if (expires_ns == 0) return std::nullopt;
  if (expires_ns <= now_ns) return 0;
  return static_cast<std::uint32_t>((expires_ns - now_ns + kNsPerSecond - 1) / kNsPerSecond);
}

}  // namespace atalaya::cloud_server
