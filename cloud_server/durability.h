#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <memory>

#include "base/journal.h"
#include "cloud_server/durable_state.h"

namespace atalaya::cloud_server {

struct DurabilityOptions {
  std::filesystem::path folder;  // Of the journal.
  JournalFiles* files = &SystemJournalFiles();
  std::uint64_t segment_bytes = JournalOptions().segment_bytes;
};

// What all loops share of what is kept on disk: the journal, and the ids of sessions and messages
// in it. Outlives the loops. Threads: any.
class Durability {
 public:
  // Reads the journal into `state`. Fails as Journal::Open.
  static Result<std::unique_ptr<Durability>> Open(const DurabilityOptions& options,
                                                  DurableState* state);

  Journal& journal() { return *journal_; }

  // The first of `count` ids that nobody else gets.
  std::uint64_t TakeIds(std::uint64_t count) { return next_id_.fetch_add(count); }
  std::uint64_t next_id() const { return next_id_.load(); }

 private:
  explicit Durability(std::unique_ptr<Journal> journal, std::uint64_t next_id)
      : journal_(std::move(journal)), next_id_(next_id) {}

  std::unique_ptr<Journal> journal_;
  std::atomic<std::uint64_t> next_id_;
};

}  // namespace atalaya::cloud_server
