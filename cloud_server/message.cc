#include "cloud_server/message.h"

#include <cstring>
#include <new>

#include "cloud_server/memory_account.h"

namespace atalaya::cloud_server {

MessagePtr::MessagePtr(const MessagePtr& other) : message_(other.message_) {
  if (message_ != nullptr) message_->references_.fetch_add(1, std::memory_order_relaxed);
}

MessagePtr::~MessagePtr() {
  if (message_ == nullptr) return;
  if (message_->references_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  AccountMessage(-static_cast<std::int64_t>(sizeof(Message) + message_->bytes()));
  message_->~Message();
  ::operator delete(const_cast<Message*>(message_));
}

Message::Message(const mqtt::Publish& packet, std::int64_t expires_ns)
    : expires_ns_(expires_ns),
      payload_bytes_(static_cast<std::uint32_t>(packet.payload.size())),
      property_bytes_(static_cast<std::uint32_t>(packet.properties.wire().size())),
      topic_bytes_(static_cast<std::uint16_t>(packet.topic.size())),
      qos_(packet.qos),
      retain_(packet.retain) {
  char* at = reinterpret_cast<char*>(this + 1);
  for (const std::string_view part : {packet.topic, packet.properties.wire(), packet.payload}) {
    if (!part.empty()) std::memcpy(at, part.data(), part.size());
    at += part.size();
  }
}

MessagePtr Message::Copy(const mqtt::Publish& packet, std::int64_t expires_ns) {
  const std::size_t bytes =
      packet.topic.size() + packet.properties.wire().size() + packet.payload.size();
  AccountMessage(static_cast<std::int64_t>(sizeof(Message) + bytes));
  void* memory = ::operator new(sizeof(Message) + bytes);
  return MessagePtr(new (memory) Message(packet, expires_ns));
}

}  // namespace atalaya::cloud_server
