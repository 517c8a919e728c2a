#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "cloud_server/message.h"
#include "cloud_server/ring_queue.h"
#include "cloud_server/transport.h"

namespace atalaya::cloud_server {

// Payloads from this size on are sent from where they are instead of being copied.
inline constexpr std::size_t kShareBytes = 16u << 10;

// Buffers that outputs of one loop take while they have something to send, and give back: so that
// an idle connection holds none, and a busy one allocates nothing. Threads: the loop's own.
class BufferPool {
 public:
  std::string Take();  // Empty, with room for small packets.
  void Give(std::string buffer);

 private:
  std::vector<std::string> free_;
};

// What one connection has to send: small packets copied one after the other, large payloads shared.
// Flush hands all of it to the kernel in one sendmsg. Threads: the loop's own.
class Output {
 public:
  explicit Output(BufferPool* pool) : pool_(pool) {}

  // The pool of the loop that the connection has moved to; only while this is empty.
  void SetPool(BufferPool* pool) { pool_ = pool; }

  // Where the next small packet is appended. Valid until the next call.
  std::string* tail() {
    if (tail_.capacity() < kSmallestBuffer) tail_ = pool_->Take();
    return &tail_;
  }
  void Append(std::string_view bytes) { tail()->append(bytes); }

  // Queues `message`'s payload without copying it.
  void AppendPayload(MessagePtr message);

  std::size_t bytes() const { return chunk_bytes_ + tail_.size() - tail_sent_; }
  bool empty() const { return bytes() == 0; }

  enum class Outcome { kEmpty, kBlocked, kFailed };
  // Sends what the socket takes, through `transport` where there is one; `*sent` grows by it.
  // kBlocked: wait until it is writable. kFailed: the peer is gone.
  Outcome Flush(int fd, Transport* transport, std::size_t* sent);

 private:
  static constexpr std::size_t kSmallestBuffer = 512;

  struct Chunk {
    std::string bytes;
    MessagePtr message;  // Where set, its payload is the chunk.
    std::string_view View() const { return message ? message->payload() : std::string_view(bytes); }
  };

  void Consume(std::size_t bytes);

  void GiveTailBack();

  BufferPool* pool_;
  RingQueue<Chunk> chunks_;      // Before the tail.
  std::size_t chunk_sent_ = 0;   // Of the front chunk.
  std::size_t chunk_bytes_ = 0;  // Unsent, of all chunks.
  std::string tail_;
  std::size_t tail_sent_ = 0;
};

}  // namespace atalaya::cloud_server
