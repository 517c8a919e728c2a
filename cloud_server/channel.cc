#include "cloud_server/channel.h"

#include <cstring>

#include "cloud_server/output.h"

namespace atalaya::cloud_server {

struct Batch::Record {
  std::uint32_t bytes;  // Of what follows: wire, or topic, properties and payload.
  std::uint32_t property_bytes;
  std::uint16_t topic_offset;
  std::uint16_t topic_bytes;
  std::uint8_t qos;
  bool retain;
  bool is_wire;
  bool is_shared;  // What follows is an index into shared_.
};

void Batch::Add(Publication* publication) {
  const mqtt::Publish& packet = publication->packet;
  Record record{};
  record.qos = static_cast<std::uint8_t>(packet.qos);
  record.retain = packet.retain;
  const auto append = [this](const void* data, std::size_t size) {
    bytes_.append(static_cast<const char*>(data), size);
  };
  if (publication->shared || packet.payload.size() >= kShareBytes) {
    const std::size_t index = shared_.size();
    shared_.push_back(publication->Shared());
    shared_bytes_ += packet.payload.size();
    record.is_shared = true;
    record.bytes = sizeof index;
    append(&record, sizeof record);
    append(&index, sizeof index);
    return;
  }
  record.topic_bytes = static_cast<std::uint16_t>(packet.topic.size());
  if (!publication->wire.empty()) {
    record.is_wire = true;
    record.bytes = static_cast<std::uint32_t>(publication->wire.size());
    record.topic_offset = static_cast<std::uint16_t>(publication->wire.size() -
                                                     packet.payload.size() - packet.topic.size());
    append(&record, sizeof record);
    append(publication->wire.data(), publication->wire.size());
    return;
  }
  const std::string_view properties = packet.properties.wire();
  record.property_bytes = static_cast<std::uint32_t>(properties.size());
  record.bytes =
      static_cast<std::uint32_t>(packet.topic.size() + properties.size() + packet.payload.size());
  append(&record, sizeof record);
  append(packet.topic.data(), packet.topic.size());
  append(properties.data(), properties.size());
  append(packet.payload.data(), packet.payload.size());
}

void Batch::Clear() {
  bytes_.clear();
  shared_.clear();
  shared_bytes_ = 0;
}

std::size_t Batch::ReadAt(std::size_t at, Publication* publication) const {
  Record record;
  std::memcpy(&record, bytes_.data() + at, sizeof record);
  at += sizeof record;
  const std::string_view body(bytes_.data() + at, record.bytes);
  mqtt::Publish& packet = publication->packet;
  if (record.is_shared) {
    std::size_t index = 0;
    std::memcpy(&index, body.data(), sizeof index);
    publication->shared = shared_[index];
    packet.topic = publication->shared->topic();
    packet.payload = publication->shared->payload();
    packet.properties = publication->shared->properties();
  } else {
    packet.topic = body.substr(record.topic_offset, record.topic_bytes);
    const std::size_t after_topic = std::size_t{record.topic_offset} + record.topic_bytes;
    packet.properties = mqtt::Properties(body.substr(after_topic, record.property_bytes));
    packet.payload = body.substr(after_topic + record.property_bytes);
    if (record.is_wire) publication->wire = body;
  }
  packet.qos = static_cast<mqtt::Qos>(record.qos);
  packet.retain = record.retain;
  return at + body.size();
}

}  // namespace atalaya::cloud_server
