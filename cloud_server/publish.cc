// What a connection does with PUBLISH packets.

#include "cloud_server/connection.h"
#include "cloud_server/loop.h"
#include "cloud_server/message_properties.h"
#include "mqtt/topic.h"

namespace atalaya::cloud_server {

using mqtt::PacketType;
using telemetry::Stat;

// Takes `first`, and the packets of the same kind and topic behind it, as one burst. 0 where
// `first` is no plain publish at QoS 0, or a broken one: then it is handled as any other packet.
std::size_t Connection::TakeBurst(std::string_view bytes, const mqtt::Frame& first) {
  if (first.type != PacketType::kPublish || first.flags != 0 || session == nullptr) return 0;
  const std::string_view body = first.body;
  if (body.size() < 2 || body.size() >= kShareBytes) return 0;
  const bool is_v5 = terms_ != nullptr;
  // In 5.0 an empty property block follows the topic, of one byte.
  const std::size_t head =
      (is_v5 ? 3 : 2) + (static_cast<std::size_t>(static_cast<std::uint8_t>(body[0])) << 8 |
                         static_cast<std::uint8_t>(body[1]));
  if (body.size() < head || (is_v5 && body[head - 1] != 0)) return 0;
  const std::string_view before_payload = body.substr(0, head);
  Burst burst;
  burst.topic = before_payload.substr(2, head - (is_v5 ? 3 : 2));
  burst.is_v5 = is_v5;
  burst.from = session;
  if (burst.topic.starts_with('$')) return 0;
  // A topic that was routed before has been found valid before.
  if (!loop_->KnowsTopic(burst.topic) &&
      !(mqtt::IsValidTopicName(burst.topic) && mqtt::IsValidUtf8(burst.topic))) {
    return 0;
  }
  const bool may =
      !loop_->NeedsLook(burst.topic) || loop_->MayPublish(session, burst.topic, false).allowed();
  const std::size_t limit = loop_->limits().max_packet_bytes;
  std::size_t size = first.size;
  burst.packets = 1;
  burst.payload_bytes = body.size() - head;
  while (true) {
    const mqtt::Decoded<mqtt::Frame> frame = mqtt::NextFrame(bytes.substr(size), limit);
    if (!frame || frame->size == 0 || bytes[size] != bytes[0]) break;
    if (frame->body.size() >= kShareBytes || !frame->body.starts_with(before_payload)) break;
    size += frame->size;
    ++burst.packets;
    burst.payload_bytes += frame->body.size() - head;
  }
  burst.wire = bytes.substr(0, size);
  telemetry::StatsLoop& stats = loop_->stats();
  stats.Add(Stat::kReceivedPublish, burst.packets);
  stats.Add(Stat::kPublishesReceivedQos0, burst.packets);
  stats.Add(Stat::kPublishReceivedBytes, static_cast<std::int64_t>(burst.payload_bytes));
  if (may) {
    loop_->Publish(burst);
  } else {
    stats.Add(Stat::kPublishRefusedNotAuthorized, burst.packets);
  }
  return size;
}

void Connection::HandlePublish(const mqtt::Frame& frame) {
  mqtt::Decoded<mqtt::Publish> packet = mqtt::DecodePublish(frame, version_);
  if (!packet) return Reject(packet.error(), frame.type);
  if (terms_ == nullptr && LacksRoomOnDisk(*packet)) return PauseForDisk();
  telemetry::StatsLoop& stats = loop_->stats();
  stats.Add(telemetry::PublishesReceived(static_cast<unsigned>(packet->qos)));
  stats.Add(Stat::kPublishReceivedBytes, static_cast<std::int64_t>(packet->payload.size()));
  Publication publication;
  publication.from = session;
  std::string scratch;
  if (terms_ != nullptr) {
    const PublisherProperties own = TakePublisherProperties(packet->properties, &scratch);
    if (own.has_subscription_id) return RejectUnexpected();
    if (!ResolveAlias(own.topic_alias, &*packet) || !WithinReceiveMaximum(*packet)) return;
    packet->properties = own.passed_on;
    if (own.expiry_s) publication.expires_ns = loop_->now_ns() + *own.expiry_s * kNsPerSecond;
  }
  if (loop_->NeedsLook(packet->topic)) {
    const Verdict verdict = loop_->MayPublish(session, packet->topic, packet->retain);
    if (!verdict.allowed()) {
      return RefusePublish(*packet, verdict, Stat::kPublishRefusedNotAuthorized);
    }
  }
  publication.packet = *packet;
  if (packet->qos != mqtt::Qos::k0 && LacksRoomOnDisk(*packet)) {
    return RefusePublish(*packet, {mqtt::Reason::kQuotaExceeded, "the disk is full"},
                         Stat::kPublishRefusedJournalFull);
  }
  const bool is_kept = session->is_kept();
  if (is_kept) publication.from_record = session->record_id;
  if (is_kept && packet->qos == mqtt::Qos::k2) publication.incoming_id = packet->packet_id;
  const bool is_new = packet->qos != mqtt::Qos::k2 || session->BeginIncoming(packet->packet_id);
  const bool matched = !is_new || loop_->Publish(&publication);
  const mqtt::Reason reason =
      matched ? mqtt::Reason::kSuccess : mqtt::Reason::kNoMatchingSubscribers;
  if (packet->qos == mqtt::Qos::k1) SendAck(PacketType::kPuback, packet->packet_id, reason);
  if (packet->qos == mqtt::Qos::k2) {
    if (is_new && terms_ != nullptr) ++terms_->unacked;
    SendAck(PacketType::kPubrec, packet->packet_id, reason);
  }
}

// What the client may not publish is acknowledged, as nothing else would stop it from sending it
// again; only 5.0 is told the reason (3.1.1, 3.3.5).
void Connection::RefusePublish(const mqtt::Publish& packet, const Verdict& verdict, Stat counter) {
  loop_->stats().Add(counter);
  if (packet.qos == mqtt::Qos::k1) {
    SendAck(PacketType::kPuback, packet.packet_id, verdict.reason, verdict.why);
  }
  if (packet.qos != mqtt::Qos::k2) return;
  // Before 5.0 the exchange goes on; in 5.0 an error ends it (4.3.3).
  if (terms_ == nullptr && session->BeginIncoming(packet.packet_id) && session->is_kept()) {
    loop_->log().Write(IncomingBegan{session->record_id, packet.packet_id});
  }
  SendAck(PacketType::kPubrec, packet.packet_id, verdict.reason, verdict.why);
}

// Puts in the topic that an alias stands for. False where the alias is wrong: the connection is
// closed.
bool Connection::ResolveAlias(std::optional<std::uint32_t> alias, mqtt::Publish* packet) {
  if (!alias) return true;
  if (!terms_->incoming.IsAllowed(*alias)) {
    CloseSaying(Stat::kClosedProtocolError, mqtt::Reason::kTopicAliasInvalid);
    return false;
  }
  if (!packet->topic.empty()) {
    terms_->incoming.Set(*alias, packet->topic);
    return true;
  }
  packet->topic = terms_->incoming.Find(*alias);
  if (!packet->topic.empty()) return true;
  CloseSaying(Stat::kClosedProtocolError, mqtt::Reason::kProtocolError);
  return false;
}

// False where the client sends more at QoS 1 and 2 than we said we take at once (5.0, 3.3.4): the
// connection is closed.
bool Connection::WithinReceiveMaximum(const mqtt::Publish& packet) {
  if (packet.qos == mqtt::Qos::k0 || terms_->unacked < terms_->unacked_max) return true;
  CloseSaying(Stat::kClosedProtocolError, mqtt::Reason::kReceiveMaximumExceeded);
  return false;
}

}  // namespace atalaya::cloud_server
