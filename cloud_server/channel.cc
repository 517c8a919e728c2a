#include "cloud_server/channel.h"

#include <cstring>

#include "cloud_server/output.h"

namespace atalaya::cloud_server {

struct Batch::Record {
  std::uint32_t
      bytes;  // Of what follows: topic, properties and payload, or the packets of a burst.
  std::uint32_t packets;        // Of a burst; 0: one publish.
  std::uint64_t payload_bytes;  // Of a burst.
  std::int64_t expires_ns;
  std::uint32_t property_bytes;
  std::uint16_t topic_offset;
  std::uint16_t topic_bytes;
  std::uint16_t client_bytes;  // Of a share's turn: before everything else.
  std::uint16_t share_bytes;
  std::uint32_t kept_bytes;  // Of the kept sessions.
  std::uint64_t message_id;
  std::uint64_t to_record;
  std::uint8_t qos;
  bool retain;
  bool is_v5;      // Of a burst.
  bool is_shared;  // What follows is an index into shared_.
};

void Batch::Add(const Burst& burst) {
  Record record{};
  record.bytes = static_cast<std::uint32_t>(burst.wire.size());
  record.packets = burst.packets;
  record.payload_bytes = burst.payload_bytes;
  record.is_v5 = burst.is_v5;
  record.topic_offset = static_cast<std::uint16_t>(burst.topic.data() - burst.wire.data());
  record.topic_bytes = static_cast<std::uint16_t>(burst.topic.size());
  Append(&record, sizeof record);
  Append(burst.wire.data(), burst.wire.size());
}

void Batch::Add(Publication* publication) {
  const mqtt::Publish& packet = publication->packet;
  Record record{};
  record.qos = static_cast<std::uint8_t>(packet.qos);
  record.retain = packet.retain;
  record.expires_ns = publication->expires_ns;
  record.client_bytes = static_cast<std::uint16_t>(publication->to_client.size());
  record.share_bytes = static_cast<std::uint16_t>(publication->share.size());
  record.kept_bytes = static_cast<std::uint32_t>(publication->kept_targets.size());
  record.message_id = publication->message_id;
  record.to_record = publication->to_record;
  if (publication->shared || packet.payload.size() >= kShareBytes) {
    const std::size_t index = shared_.size();
    shared_.push_back(publication->Shared());
    shared_bytes_ += packet.payload.size();
    record.is_shared = true;
    record.bytes = sizeof index;
    Append(&record, sizeof record);
    Append(publication->to_client.data(), publication->to_client.size());
    Append(publication->share.data(), publication->share.size());
    Append(publication->kept_targets.data(), publication->kept_targets.size());
    Append(&index, sizeof index);
    return;
  }
  const std::string_view properties = packet.properties.wire();
  record.topic_bytes = static_cast<std::uint16_t>(packet.topic.size());
  record.property_bytes = static_cast<std::uint32_t>(properties.size());
  record.bytes =
      static_cast<std::uint32_t>(packet.topic.size() + properties.size() + packet.payload.size());
  Append(&record, sizeof record);
  Append(publication->to_client.data(), publication->to_client.size());
  Append(publication->share.data(), publication->share.size());
  Append(publication->kept_targets.data(), publication->kept_targets.size());
  Append(packet.topic.data(), packet.topic.size());
  Append(properties.data(), properties.size());
  Append(packet.payload.data(), packet.payload.size());
}

void Batch::Clear() {
  bytes_.clear();
  shared_.clear();
  shared_bytes_ = 0;
  has_mark_ = false;
}

std::size_t Batch::ReadAt(std::size_t at, Publication* publication, Burst* burst) const {
  Record record;
  std::memcpy(&record, bytes_.data() + at, sizeof record);
  at += sizeof record;
  publication->to_client = {bytes_.data() + at, record.client_bytes};
  publication->share = {bytes_.data() + at + record.client_bytes, record.share_bytes};
  at += std::size_t{record.client_bytes} + record.share_bytes;
  publication->kept_targets = {bytes_.data() + at, record.kept_bytes};
  publication->message_id = record.message_id;
  publication->to_record = record.to_record;
  at += record.kept_bytes;
  const std::string_view body(bytes_.data() + at, record.bytes);
  mqtt::Publish& packet = publication->packet;
  if (record.packets > 0) {
    burst->topic = body.substr(record.topic_offset, record.topic_bytes);
    burst->wire = body;
    burst->packets = record.packets;
    burst->payload_bytes = record.payload_bytes;
    burst->is_v5 = record.is_v5;
    return at + body.size();
  }
  if (record.is_shared) {
    std::size_t index = 0;
    std::memcpy(&index, body.data(), sizeof index);
    publication->shared = shared_[index];
    packet.topic = publication->shared->topic();
    packet.payload = publication->shared->payload();
    packet.properties = publication->shared->properties();
  } else {
    packet.topic = body.substr(0, record.topic_bytes);
    packet.properties = mqtt::Properties(body.substr(record.topic_bytes, record.property_bytes));
    packet.payload = body.substr(std::size_t{record.topic_bytes} + record.property_bytes);
  }
  packet.qos = static_cast<mqtt::Qos>(record.qos);
  packet.retain = record.retain;
  publication->expires_ns = record.expires_ns;
  return at + body.size();
}

}  // namespace atalaya::cloud_server
