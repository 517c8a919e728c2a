#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "cloud_server/message.h"
#include "mqtt/decode.h"

namespace atalaya::cloud_server {

// A publish on its way through the server; the views live as long as the call it is handed to.
struct Publication {
  mqtt::Publish packet;
  const void* from = nullptr;   // The publisher's session, for subscriptions with no_local.
  std::int64_t expires_ns = 0;  // Of the steady clock; 0: never.
  // Where set, it goes to this client alone, as its turn of this share ("$share/NAME/FILTER").
  std::string_view to_client;
  std::string_view share;
  MessagePtr shared;  // Made by the first that needs the publish to stay.

  // What its record in the journal says, or has to say.
  std::uint64_t message_id = 0;   // 0: it is not recorded.
  std::uint64_t from_record = 0;  // The publisher's session in the journal, or 0.
  std::uint16_t incoming_id = 0;  // Of a QoS 2 publish of a kept session.
  bool is_will = false;
  // On its way to another loop: the kept sessions there that the record names (TargetFields), or
  // the one whose turn of a share it is.
  std::string_view kept_targets;
  std::uint64_t to_record = 0;

  const MessagePtr& Shared() {
    if (!shared) shared = Message::Copy(packet, expires_ns);
    return shared;
  }
};

// Consecutive publishes of one client to one topic, at QoS 0, not retained and without properties,
// as they came: whole packets, one behind the other, which subscribers of the same version get byte
// for byte. A burst is so routed once and copied once for each subscriber.
struct Burst {
  std::string_view topic;  // Within the first packet of `wire`.
  std::string_view wire;
  std::uint32_t packets = 0;
  std::uint64_t payload_bytes = 0;
  const void* from = nullptr;  // As in Publication.
  bool is_v5 = false;          // Each packet has an empty property block behind its topic.

  // Calls visit(Publication&) for each packet, in order.
  template <typename Visit>
  void ForEach(const Visit& visit) const {
    const std::size_t head = 2 + topic.size() + (is_v5 ? 1 : 0);
    for (std::string_view rest = wire; !rest.empty();) {
      const mqtt::Decoded<mqtt::Frame> frame = mqtt::NextFrame(rest, mqtt::kMaxPacketBytes);
      Publication publication;
      publication.packet.topic = topic;
      publication.packet.payload = frame->body.substr(head);
      publication.from = from;
      visit(publication);
      rest.remove_prefix(frame->size);
    }
  }
};

// Publishes on their way from one loop to another, gathered during a turn. Small ones are copied,
// large ones share their body.
class Batch {
 public:
  void Add(Publication* publication);
  void Add(const Burst& burst);
  std::size_t bytes() const { return bytes_.size() + shared_bytes_; }
  bool empty() const { return bytes_.empty() && !has_mark_; }
  void Clear();

  // Says to the consumer that all its producer had before is in this batch, or came before.
  void SetMark() { has_mark_ = true; }
  bool has_mark() const { return has_mark_; }

  // Steady time of the turn in which it was filled, for the time that deliveries take.
  std::int64_t received_ns = 0;

  // Calls visit(Publication&) or visit(const Burst&) for each, in order.
  template <typename Visit>
  void ForEach(const Visit& visit) const {
    for (std::size_t at = 0; at < bytes_.size();) {
      Publication publication;
      Burst burst;
      at = ReadAt(at, &publication, &burst);
      if (burst.packets > 0) {
        visit(burst);
      } else {
        visit(publication);
      }
    }
  }

 private:
  struct Record;
  std::size_t ReadAt(std::size_t at, Publication* publication, Burst* burst) const;
  void Append(const void* data, std::size_t size) {
    bytes_.append(static_cast<const char*>(data), size);
  }

  std::string bytes_;
  std::vector<MessagePtr> shared_;
  std::size_t shared_bytes_ = 0;
  bool has_mark_ = false;
};

// A bounded queue between exactly one producer thread and one consumer thread.
template <typename T, std::size_t kCapacity>
class SpscRing {
 public:
  // False where it is full. `*was_empty`: the consumer had taken everything before, and must be
  // woken.
  bool Push(T& value, bool* was_empty) {
    const std::size_t tail = tail_.load(std::memory_order_relaxed);
    if (tail - head_.load(std::memory_order_acquire) == kCapacity) return false;
    slots_[tail % kCapacity] = std::move(value);
    // Sequentially consistent with the consumer's store and load below: either the producer sees
    // that the consumer had reached this place, or the consumer sees the new element.
    tail_.store(tail + 1, std::memory_order_seq_cst);
    *was_empty = head_.load(std::memory_order_seq_cst) == tail;
    return true;
  }

  bool Pop(T* value) {
    const std::size_t head = head_.load(std::memory_order_relaxed);
    if (tail_.load(std::memory_order_seq_cst) == head) return false;
    *value = std::move(slots_[head % kCapacity]);
    head_.store(head + 1, std::memory_order_seq_cst);
    return true;
  }

 private:
  std::array<T, kCapacity> slots_{};
  alignas(64) std::atomic<std::size_t> head_{0};
  alignas(64) std::atomic<std::size_t> tail_{0};
};

inline constexpr std::size_t kChannelBatches = 256;
inline constexpr std::size_t kBatchBytes = 64u << 10;  // A fuller one leaves before the turn ends.

// One direction between two loops: full batches one way, empty ones back for use again.
struct Channel {
  SpscRing<std::unique_ptr<Batch>, kChannelBatches> full;
  SpscRing<std::unique_ptr<Batch>, kChannelBatches> empty;
  std::atomic<bool> producer_waits{false};  // Wake the producer once there is room.
};

}  // namespace atalaya::cloud_server
