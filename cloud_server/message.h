#pragma once

#include <atomic>
#include <cstdint>
#include <string_view>
#include <utility>

#include "mqtt/packet.h"

namespace atalaya::cloud_server {

class Message;

// Shares ownership of a Message. Threads: any, as a Message is immutable.
class MessagePtr {
 public:
  MessagePtr() = default;
  MessagePtr(const MessagePtr& other);
  MessagePtr(MessagePtr&& other) noexcept : message_(std::exchange(other.message_, nullptr)) {}
  MessagePtr& operator=(MessagePtr other) noexcept {
    std::swap(message_, other.message_);
    return *this;
  }
  ~MessagePtr();

  const Message* operator->() const { return message_; }
  const Message& operator*() const { return *message_; }
  explicit operator bool() const { return message_ != nullptr; }

 private:
  friend class Message;
  explicit MessagePtr(const Message* message) : message_(message) {}
  const Message* message_ = nullptr;
};

// A publish that outlives the packet it came in: in a queue, in flight, retained, or larger than is
// worth copying. Topic, properties and payload stand in one allocation, shared by all who hold it.
class Message {
 public:
  // Copies everything but `packet`'s packet id and DUP flag. Properties are those of the publisher
  // that are passed on unaltered. `expires_ns` is of the steady clock; 0: never.
  static MessagePtr Copy(const mqtt::Publish& packet, std::int64_t expires_ns = 0);

  std::string_view topic() const { return {data(), topic_bytes_}; }
  mqtt::Properties properties() const {
    return mqtt::Properties({data() + topic_bytes_, property_bytes_});
  }
  std::string_view payload() const {
    return {data() + topic_bytes_ + property_bytes_, payload_bytes_};
  }
  mqtt::Qos qos() const { return qos_; }   // As published.
  bool retain() const { return retain_; }  // As published.

  std::int64_t expires_ns() const { return expires_ns_; }
  bool IsExpired(std::int64_t now_ns) const { return expires_ns_ != 0 && expires_ns_ < now_ns; }

  // What it counts as in queue limits: topic, properties and payload.
  std::size_t bytes() const { return topic_bytes_ + property_bytes_ + std::size_t{payload_bytes_}; }

 private:
  friend class MessagePtr;
  Message(const mqtt::Publish& packet, std::int64_t expires_ns);
  const char* data() const { return reinterpret_cast<const char*>(this + 1); }

  std::int64_t expires_ns_;
  mutable std::atomic<std::uint32_t> references_{1};
  std::uint32_t payload_bytes_;
  std::uint32_t property_bytes_;
  std::uint16_t topic_bytes_;
  mqtt::Qos qos_;
  bool retain_;
};

}  // namespace atalaya::cloud_server
