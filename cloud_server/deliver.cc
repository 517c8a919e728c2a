// How a connection writes publishes to its client.

#include "cloud_server/connection.h"
#include "cloud_server/loop.h"
#include "cloud_server/message_properties.h"
#include "mqtt/encode.h"

namespace atalaya::cloud_server {

using mqtt::PacketType;
using telemetry::Stat;

void Connection::SendAtMostOnce(Publication* publication, bool retain,
                                const std::vector<std::uint32_t>& subscription_ids) {
  if (!HasRoom()) return DropForSlowness(1);
  mqtt::Publish packet = publication->packet;
  packet.packet_id = 0;
  packet.qos = mqtt::Qos::k0;
  packet.dup = false;
  packet.retain = retain;
  const bool is_shared = packet.payload.size() >= kShareBytes;
  const auto body = [&] { return is_shared ? publication->Shared() : MessagePtr(); };
  if (!WritePublish(packet, publication->expires_ns, subscription_ids, body)) return;
  loop_->stats().Add(Stat::kPublishesDeliveredQos0);
}

// QoS 0 publishes that came while the client takes nothing.
void Connection::DropForSlowness(std::int64_t packets) {
  loop_->stats().Add(closing_ ? Stat::kDroppedConnectionLost : Stat::kDroppedSlowConsumer, packets);
  if (loop_->limits().overflow == OverflowPolicy::kDisconnect) {
    CloseSaying(Stat::kClosedSlowConsumer, mqtt::Reason::kQuotaExceeded, "the output is full");
  }
}

bool Connection::SendDelivery(const Delivery& delivery) {
  if (delivery.is_pubrel) {
    SendAck(PacketType::kPubrel, delivery.packet_id, mqtt::Reason::kSuccess);
    return true;
  }
  const Message& message = *delivery.message;
  mqtt::Publish packet;
  packet.topic = message.topic();
  packet.payload = message.payload();
  packet.properties = message.properties();
  packet.packet_id = delivery.packet_id;
  packet.qos = delivery.qos;
  packet.retain = delivery.retain;
  packet.dup = delivery.dup;
  const bool is_shared = packet.payload.size() >= kShareBytes;
  const auto body = [&] { return is_shared ? delivery.message : MessagePtr(); };
  const bool waits = delivery.message_id != 0 && delivery.qos == mqtt::Qos::k2;
  if (!WritePublish(packet, message.expires_ns(), delivery.subscription_ids, body, waits)) {
    return false;
  }
  const auto qos = static_cast<unsigned>(delivery.qos);
  loop_->stats().Add(delivery.dup ? Stat::kPublishesResent : telemetry::PublishesDelivered(qos));
  return true;
}

// Writes `packet` in the client's version; `body` gives the message whose payload is sent from
// where it is, or none. False where the packet is larger than the client takes: it is dropped and
// counted.
template <typename Body>
bool Connection::WritePublish(mqtt::Publish packet, std::int64_t expires_ns,
                              const std::vector<std::uint32_t>& subscription_ids, const Body& body,
                              bool waits) {
  OutgoingAliases::Alias alias;
  const std::string_view topic = packet.topic;
  std::string scratch;
  if (version_ == mqtt::Version::k5) {
    alias = terms_->outgoing.Find(topic);
    if (alias.is_known) packet.topic = {};
    packet.properties =
        SubscriberProperties(packet.properties, RemainingSeconds(expires_ns, loop_->now_ns()),
                             alias.number, subscription_ids, &scratch);
    if (mqtt::PublishBytes(packet, version_) > terms_->max_packet_bytes) {
      loop_->stats().Add(Stat::kDroppedTooLarge);
      return false;
    }
  } else {
    packet.properties = {};
  }
  std::string* tail = Tail(PacketType::kPublish, waits);
  loop_->stats().Add(Stat::kPublishDeliveredBytes,
                     static_cast<std::int64_t>(packet.payload.size()));
  if (alias.number != 0 && !alias.is_known) terms_->outgoing.Remember(topic);
  MessagePtr message = body();
  if (!message) {
    mqtt::EncodePublish(packet, version_, tail);
    return true;
  }
  mqtt::EncodePublishHeader(packet, version_, tail);
  Append(std::move(message));
  return true;
}

void Connection::SendBurst(const Burst& burst, const std::vector<std::uint32_t>& subscription_ids) {
  if (burst.is_v5 != (version_ == mqtt::Version::k5) || !subscription_ids.empty() ||
      (terms_ != nullptr &&
       (terms_->outgoing.are_wanted() || terms_->max_packet_bytes < 2 * kShareBytes))) {
    return SendBurstOneByOne(burst, subscription_ids);
  }
  telemetry::StatsLoop& stats = loop_->stats();
  if (!HasRoom()) return DropForSlowness(burst.packets);
  stats.Add(Stat::kSentPublish, burst.packets - 1);
  stats.Add(Stat::kPublishesDeliveredQos0, burst.packets);
  stats.Add(Stat::kPublishDeliveredBytes, static_cast<std::int64_t>(burst.payload_bytes));
  Tail(PacketType::kPublish)->append(burst.wire);
}

// Where the client does not take the burst's own bytes.
void Connection::SendBurstOneByOne(const Burst& burst,
                                   const std::vector<std::uint32_t>& subscription_ids) {
  burst.ForEach(
      [&](Publication& publication) { SendAtMostOnce(&publication, false, subscription_ids); });
}

}  // namespace atalaya::cloud_server
