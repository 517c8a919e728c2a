#include "stress/ledger.h"

namespace atalaya::stress {

LedgerFigures& LedgerFigures::operator+=(const LedgerFigures& other) {
  sent += other.sent;
  acknowledged += other.acknowledged;
  received += other.received;
  duplicated += other.duplicated;
  reordered += other.reordered;
  corrupted += other.corrupted;
  return *this;
}

bool Ledger::Received(std::uint32_t sequence) {
  if (sequence >= figures_.sent) {
    ++figures_.corrupted;
    return false;
  }
  const std::size_t word = sequence / 64;
  if (word >= seen_.size()) seen_.resize(word + 1);
  const std::uint64_t bit = std::uint64_t{1} << (sequence % 64);
  if ((seen_[word] & bit) != 0) {
    ++figures_.duplicated;
    return false;
  }
  seen_[word] |= bit;
  ++figures_.received;
  if (sequence < next_) {
    ++figures_.reordered;
  } else {
    next_ = std::uint64_t{sequence} + 1;
  }
  return true;
}

}  // namespace atalaya::stress
