#pragma once

#include <cstdint>
#include <vector>

namespace atalaya::stress {

// What became of the messages of one pair or, added up, of many.
struct LedgerFigures {
  std::uint64_t sent = 0;
  std::uint64_t acknowledged = 0;  // PUBACKs; only at QoS 1.
  std::uint64_t received = 0;      // Distinct messages.
  std::uint64_t duplicated = 0;    // Copies beyond the first; legal at QoS 1.
  std::uint64_t reordered = 0;     // First copies that came after a later message.
  std::uint64_t corrupted = 0;     // Packets whose payload is none that this pair ever sent.

  std::uint64_t lost() const { return sent - received; }
  LedgerFigures& operator+=(const LedgerFigures& other);
};

// The books of one pair: one bit for each message, so that the count of lost and doubled ones is
// exact however late a copy comes. Threads: one at a time.
class Ledger {
 public:
  void Sent() { ++figures_.sent; }
  void Acknowledged() { ++figures_.acknowledged; }

  // Books the arrival of message `sequence`; true for its first copy. A sequence that was never
  // sent is booked as corrupted.
  bool Received(std::uint32_t sequence);
  void Corrupted() { ++figures_.corrupted; }

  const LedgerFigures& figures() const { return figures_; }

 private:
  LedgerFigures figures_;
  std::uint64_t next_ = 0;           // One past the highest sequence seen.
  std::vector<std::uint64_t> seen_;  // 64 sequences in each.
};

}  // namespace atalaya::stress
