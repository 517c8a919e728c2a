#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "cloud_server/message.h"
#include "cloud_server/ring_queue.h"
#include "cloud_server/transport.h"

namespace atalaya::cloud_server {

// Payloads from this size on are sent from where they are instead of being copied.
inline constexpr std::size_t kShareBytes = 16u << 10;

// What one output has to send.
struct OutputBuffers {
  struct Chunk {
    std::string bytes;
    MessagePtr message;  // Where set, its payload is the chunk.
    std::string_view View() const { return message ? message->payload() : std::string_view(bytes); }
  };

  std::size_t bytes() const { return chunk_bytes + tail.size() - tail_sent; }

  RingQueue<Chunk> chunks;      // Before the tail.
  std::size_t chunk_sent = 0;   // Of the front chunk.
  std::size_t chunk_bytes = 0;  // Unsent, of all chunks.
  std::string tail;
  std::size_t tail_sent = 0;
};

// Buffers that outputs of one loop take while they have something to send, and give back: so that
// an idle connection holds none, and a busy one allocates nothing. Threads: the loop's own.
class BufferPool {
 public:
  std::unique_ptr<OutputBuffers> Take();              // Empty.
  void Give(std::unique_ptr<OutputBuffers> buffers);  // With nothing left to send.

 private:
  std::vector<std::unique_ptr<OutputBuffers>> free_;
};

// What one connection has to send: small packets copied one after the other, large payloads shared.
// Flush hands all of it to the kernel in one sendmsg. Threads: the loop's own.
class Output {
 public:
  explicit Output(BufferPool* pool) : pool_(pool) {}

  // The pool of the loop that the connection has moved to; only while this is empty.
  void SetPool(BufferPool* pool) { pool_ = pool; }

  // Where the next small packet is appended. Valid until the next call.
  std::string* tail() { return &Buffers()->tail; }
  void Append(std::string_view bytes) { tail()->append(bytes); }

  // Queues `message`'s payload without copying it.
  void AppendPayload(MessagePtr message);

  std::size_t bytes() const { return buffers_ == nullptr ? 0 : buffers_->bytes(); }
  bool empty() const { return bytes() == 0; }

  enum class Outcome { kEmpty, kBlocked, kFailed };
  // Sends what the socket takes, through `transport` where there is one; `*sent` grows by it.
  // kBlocked: wait until it is writable. kFailed: the peer is gone.
  Outcome Flush(int fd, Transport* transport, std::size_t* sent);

 private:
  OutputBuffers* Buffers() {
    if (buffers_ == nullptr) buffers_ = pool_->Take();
    return buffers_.get();
  }
  void Consume(std::size_t bytes);

  BufferPool* pool_;
  std::unique_ptr<OutputBuffers> buffers_;  // nullptr: there is nothing to send.
};

}  // namespace atalaya::cloud_server
