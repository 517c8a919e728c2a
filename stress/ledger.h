#pragma once

#include <cstdint>
#include <utility>
#include <vector>

namespace atalaya::stress {

// What became of the messages of one flow or, added up, of all.
struct LedgerFigures {
  std::uint64_t sent = 0;          // Published.
  std::uint64_t acknowledged = 0;  // Of them, taken by the server; only above QoS 0.
  std::uint64_t expected = 0;      // Deliveries that the sent messages should make.
  std::uint64_t received = 0;      // Of them, those that came; copies do not count.
  std::uint64_t duplicated = 0;    // Copies beyond the first.
  std::uint64_t reordered = 0;     // First copies that came after a later message.
  std::uint64_t corrupted = 0;     // Packets whose payload nobody ever sent to this subscriber.
  // Deliveries that never came, and need not have come: sent around a fault, or never acknowledged.
  std::uint64_t lost_in_faults = 0;
  std::uint64_t lost_unconfirmed = 0;
  std::uint64_t doubled_wrongly = 0;  // Of the duplicated, those that the QoS does not allow.

  std::uint64_t missing() const { return expected - received; }
  // What nothing excuses.
  std::uint64_t lost() const { return missing() - lost_in_faults - lost_unconfirmed; }
  LedgerFigures& operator+=(const LedgerFigures& other);
};

// A set of sequence numbers, one bit each.
class SequenceSet {
 public:
  // False where it was in already.
  bool Insert(std::uint32_t sequence);
  bool Contains(std::uint32_t sequence) const {
    const std::size_t word = sequence / 64;
    return word < words_.size() && (words_[word] >> (sequence % 64) & 1) != 0;
  }
  void Merge(const SequenceSet& other);
  std::uint64_t Count() const;
  // 64 of them, from `word` * 64 on.
  std::uint64_t Word(std::size_t word) const { return word < words_.size() ? words_[word] : 0; }

 private:
  std::vector<std::uint64_t> words_;
};

// The books of one publisher. Threads: one at a time.
struct PublisherBook {
  std::uint32_t sent = 0;  // Sequences 0 to sent - 1 were.
  std::uint32_t acknowledged = 0;
  SequenceSet acknowledgements;  // Above QoS 0.
  // Sequences that were sent around a fault: from the first on, up to the second.
  std::vector<std::pair<std::uint32_t, std::uint32_t>> fault_windows;

  bool InFault(std::uint32_t sequence) const;
};

// What one subscriber has of one publisher: exact however late a copy comes.
struct Link {
  SequenceSet seen;
  std::uint32_t next = 0;  // One past the highest sequence seen.
};

// The books of one subscriber. Threads: one at a time.
struct SubscriberBook {
  std::vector<Link> links;
  std::uint64_t duplicated = 0;
  std::uint64_t reordered = 0;
  std::uint64_t corrupted = 0;

  // Books the arrival of a message; true for its first copy.
  bool Received(std::size_t link, std::uint32_t sequence);
};

// How a flow's losses are judged.
struct LedgerRules {
  int qos = 0;
  // The server keeps messages for those who are away: above QoS 0 a fault excuses nothing that was
  // acknowledged.
  bool kept = false;
};

// Weighs what one listener (a subscriber, or a group that takes turns, put together) has of one
// publisher, and adds it to `figures`: expected, received and what is missing.
void WeighLink(const PublisherBook& publisher, const SequenceSet& seen, const LedgerRules& rules,
               LedgerFigures* figures);

}  // namespace atalaya::stress
