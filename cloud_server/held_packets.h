#pragma once

#include <cstddef>
#include <string>

#include "cloud_server/durable_log.h"
#include "cloud_server/message.h"
#include "cloud_server/output.h"
#include "cloud_server/ring_queue.h"

namespace atalaya::cloud_server {

// Packets of one connection, in order, that may leave once what they rest on is durable.
// Threads: the loop's own.
class HeldPackets {
 public:
  // Where the next packet is appended, that waits for `ticket`, or for that of a packet before it
  // which is later. Valid until the next call.
  std::string* Tail(Ticket ticket);
  // Behind what was appended last, without copying it.
  void AppendPayload(MessagePtr message);

  Ticket connack_ticket = 0;  // What the CONNACK among them waits for; 0: it is not among them.
  bool has_publish = false;   // There is, or was, one among them.

  bool empty() const { return entries_.empty(); }
  std::size_t bytes() const;  // About.

  // Moves to `output` what waits for `released` at the latest.
  void Release(Ticket released, Output* output);

 private:
  struct Entry {
    Ticket ticket = 0;
    std::string bytes;
    MessagePtr payload;  // Behind `bytes`, where set.
  };
  RingQueue<Entry> entries_;
};

}  // namespace atalaya::cloud_server
