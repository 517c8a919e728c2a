#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "cloud_server/message.h"

namespace atalaya::cloud_server {

// A publish on its way through the server; the views live as long as the call it is handed to.
struct Publication {
  mqtt::Publish packet;
  // The packet as a 3.1.1 client would get it at QoS 0 and not retained, where it is at hand.
  std::string_view wire;
  const void* from = nullptr;  // The publisher's session, for subscriptions with no_local.
  MessagePtr shared;           // Made by the first that needs the publish to stay.

  const MessagePtr& Shared() {
    if (!shared) shared = Message::Copy(packet);
    return shared;
  }
};

// Publishes on their way from one loop to another, gathered during a turn. Small ones are copied,
// large ones share their body.
class Batch {
 public:
  void Add(Publication* publication);
  std::size_t bytes() const { return bytes_.size() + shared_bytes_; }
  bool empty() const { return bytes_.empty(); }
  void Clear();

  // Calls visit(Publication&) for each, in order.
  template <typename Visit>
  void ForEach(const Visit& visit) {
    for (std::size_t at = 0; at < bytes_.size();) {
      Publication publication;
      at = ReadAt(at, &publication);
      visit(publication);
    }
  }

 private:
  struct Record;
  std::size_t ReadAt(std::size_t at, Publication* publication) const;

  std::string bytes_;
  std::vector<MessagePtr> shared_;
  std::size_t shared_bytes_ = 0;
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
