#pragma once

#include <atomic>
#include <cstdint>

#include "base/journal.h"
#include "cloud_server/durability.h"
#include "cloud_server/durable_record.h"
#include "cloud_server/ring_queue.h"

namespace atalaya::cloud_server {

// Stands for everything that a loop wrote up to a moment. Grows with each Submit.
using Ticket = std::uint64_t;

// One loop's way to the journal: the records of a turn are gathered and handed over together. What
// waits for them to be durable holds the ticket of its turn.
// Threads: the loop's own, but for those that say otherwise.
class DurableLog {
 public:
  // `durability` is nullptr where nothing is kept, and outlives this.
  explicit DurableLog(Durability* durability) : durability_(durability) {}

  bool enabled() const { return durability_ != nullptr; }
  Durability* durability() { return durability_; }
  // There is no room on the disk: nothing new that must be kept may be taken.
  bool full() const { return enabled() && durability_->journal().full(); }

  // For a session or a message; never 0.
  std::uint64_t NewId() {
    if (ids_left_ == 0) {
      next_id_ = durability_->TakeIds(kIdsAtOnce);
      ids_left_ = kIdsAtOnce;
    }
    --ids_left_;
    return next_id_++;
  }

  // Only where enabled.
  template <typename Record>
  void Write(const Record& record) {
    WriteRecord(record, batch_.Begin());
    batch_.End();
    ++written_;
  }

  // That the server is alive now: from the last such record on, sessions of clients that were
  // connected when it died expire.
  void WriteClock();

  std::uint64_t written() const { return written_; }  // Records so far.
  // Of what was written last; it may have been handed over already.
  Ticket ticket() const { return batch_.empty() ? ticket_ - 1 : ticket_; }
  Ticket released() const { return released_; }  // As of the last Released().
  std::size_t gathered_bytes() const { return batch_.bytes(); }

  // Hands over what was gathered. Before anything that depends on it can reach another loop.
  void Submit();

  // Up to which ticket all is durable now.
  Ticket Released();
  // Whether anything handed over is not durable yet; any thread.
  bool IsWaiting() const { return waiting_.load(); }

 private:
  static constexpr std::uint64_t kIdsAtOnce = 4096;
  struct Submitted {
    Ticket ticket = 0;
    JournalPosition position = 0;
  };

  Durability* const durability_;
  JournalBatch batch_;
  std::uint64_t next_id_ = 0;
  std::uint64_t ids_left_ = 0;
  std::uint64_t written_ = 0;
  Ticket ticket_ = 1;
  Ticket released_ = 0;
  RingQueue<Submitted> submitted_;  // Not known to be durable.
  std::atomic<bool> waiting_{false};
};

}  // namespace atalaya::cloud_server
