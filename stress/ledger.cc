#include "stress/ledger.h"

#include <algorithm>
#include <bit>

namespace atalaya::stress {

LedgerFigures& LedgerFigures::operator+=(const LedgerFigures& other) {
  sent += other.sent;
  acknowledged += other.acknowledged;
  expected += other.expected;
  received += other.received;
  duplicated += other.duplicated;
  reordered += other.reordered;
  corrupted += other.corrupted;
  lost_in_faults += other.lost_in_faults;
  lost_unconfirmed += other.lost_unconfirmed;
  doubled_wrongly += other.doubled_wrongly;
  return *this;
}

bool SequenceSet::Insert(std::uint32_t sequence) {
  const std::size_t word = sequence / 64;
  if (word >= words_.size()) words_.resize(word + 1);
  const std::uint64_t bit = std::uint64_t{1} << (sequence % 64);
  if ((words_[word] & bit) != 0) return false;
  words_[word] |= bit;
  return true;
}

void SequenceSet::Merge(const SequenceSet& other) {
  words_.resize(std::max(words_.size(), other.words_.size()));
  for (std::size_t i = 0; i < other.words_.size(); ++i) words_[i] |= other.words_[i];
}

std::uint64_t SequenceSet::Count() const {
  std::uint64_t count = 0;
  for (const std::uint64_t word : words_) count += static_cast<unsigned>(std::popcount(word));
  return count;
}

bool PublisherBook::InFault(std::uint32_t sequence) const {
  return std::any_of(fault_windows.begin(), fault_windows.end(), [sequence](const auto& window) {
    return sequence >= window.first && sequence < window.second;
  });
}

bool SubscriberBook::Received(std::size_t link, std::uint32_t sequence) {
  Link& book = links[link];
  if (!book.seen.Insert(sequence)) {
    ++duplicated;
    return false;
  }
  if (sequence < book.next) {
    ++reordered;
  } else {
    book.next = sequence + 1;
  }
  return true;
}

void WeighLink(const PublisherBook& publisher, const SequenceSet& seen, const LedgerRules& rules,
               LedgerFigures* figures) {
  figures->expected += publisher.sent;
  for (std::size_t word = 0; word * 64 < publisher.sent; ++word) {
    const std::uint64_t left = publisher.sent - word * 64;
    const std::uint64_t all = left >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << left) - 1;
    const std::uint64_t got = seen.Word(word) & all;
    figures->received += static_cast<unsigned>(std::popcount(got));
    for (std::uint64_t missing = all & ~got; missing != 0; missing &= missing - 1) {
      const auto sequence =
          static_cast<std::uint32_t>(word * 64 + static_cast<unsigned>(std::countr_zero(missing)));
      const bool confirmed = publisher.acknowledgements.Contains(sequence);
      if (rules.qos > 0 && !confirmed) {
        ++figures->lost_unconfirmed;
      } else if (publisher.InFault(sequence) && !(rules.kept && rules.qos > 0)) {
        ++figures->lost_in_faults;
      }
    }
  }
}

}  // namespace atalaya::stress
