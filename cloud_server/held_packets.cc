#include "cloud_server/held_packets.h"

#include <algorithm>

namespace atalaya::cloud_server {

std::string* HeldPackets::Tail(Ticket ticket) {
  if (!entries_.empty()) {
    Entry& last = entries_[entries_.size() - 1];
    if (last.ticket >= ticket && !last.payload) return &last.bytes;
    ticket = std::max(ticket, last.ticket);
  }
  entries_.PushBack({ticket, {}, {}});
  return &entries_[entries_.size() - 1].bytes;
}

void HeldPackets::AppendPayload(MessagePtr message) {
  entries_[entries_.size() - 1].payload = std::move(message);
}

std::size_t HeldPackets::bytes() const {
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    const Entry& entry = entries_[i];
    bytes += entry.bytes.size() + (entry.payload ? entry.payload->payload().size() : 0);
  }
  return bytes;
}

void HeldPackets::Release(Ticket released, Output* output) {
  while (!entries_.empty() && entries_.front().ticket <= released) {
    const Entry entry = entries_.PopFront();
    output->Append(entry.bytes);
    if (entry.payload) output->AppendPayload(entry.payload);
  }
}

}  // namespace atalaya::cloud_server
