#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "cloud_server/message.h"
#include "cloud_server/ring_queue.h"

namespace atalaya::cloud_server {

// Payloads from this size on are sent from where they are instead of being copied.
inline constexpr std::size_t kShareBytes = 16u << 10;

// What one connection has to send: small packets copied one after the other, large payloads shared.
// Flush hands all of it to the kernel in one sendmsg. Threads: the loop's own.
class Output {
 public:
  // Where the next small packet is appended. Valid until the next call.
  std::string* tail() { return &tail_; }
  void Append(std::string_view bytes) { tail_.append(bytes); }

  // Queues `message`'s payload without copying it.
  void AppendPayload(MessagePtr message);

  std::size_t bytes() const { return chunk_bytes_ + tail_.size() - tail_sent_; }
  bool empty() const { return bytes() == 0; }

  enum class Outcome { kEmpty, kBlocked, kFailed };
  // Sends what the socket takes; `*sent` grows by it. kBlocked: wait until it is writable. kFailed:
  // the peer is gone.
  Outcome Flush(int fd, std::size_t* sent);

  void ReleaseMemory();  // Where it is empty.

 private:
  struct Chunk {
    std::string bytes;
    MessagePtr message;  // Where set, its payload is the chunk.
    std::string_view View() const { return message ? message->payload() : std::string_view(bytes); }
  };

  void Consume(std::size_t bytes);

  RingQueue<Chunk> chunks_;      // Before the tail.
  std::size_t chunk_sent_ = 0;   // Of the front chunk.
  std::size_t chunk_bytes_ = 0;  // Unsent, of all chunks.
  std::string tail_;
  std::size_t tail_sent_ = 0;
};

}  // namespace atalaya::cloud_server
