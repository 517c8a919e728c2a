#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/journal_files.h"
#include "base/journal_reader.h"
#include "base/journal_segments.h"
#include "base/result.h"

namespace atalaya {

// Records that one producer gathers before it hands them over. Threads: the producer's own.
class JournalBatch {
 public:
  // A record is what is appended to Begin()'s string until End(); at least a byte, at most
  // kMaxJournalRecordBytes.
  std::string* Begin();
  void End();

  bool empty() const { return records_ == 0; }
  std::size_t bytes() const { return bytes_.size(); }

 private:
  friend class Journal;
  std::string bytes_;
  std::uint64_t records_ = 0;
  std::size_t open_at_ = 0;
};

inline constexpr std::size_t kMaxJournalRecordBytes = 512u << 20;

struct JournalOptions {
  std::filesystem::path folder;  // Made where it is missing. The caller sees to it that no other
                                 // process uses it.
  std::uint64_t segment_bytes = 16u << 20;
  JournalFiles* files = &SystemJournalFiles();
};

// Upper bounds of the buckets of JournalFigures::commit_buckets, in nanoseconds; the last bucket
// has none.
inline constexpr std::array<std::int64_t, 10> kCommitBucketsNs{
    100'000,   250'000,    500'000,    1'000'000,   2'500'000,
    5'000'000, 10'000'000, 25'000'000, 100'000'000, 1'000'000'000};

// What a journal has done; each may be read by any thread.
struct JournalFigures {
  std::atomic<std::uint64_t> commits{0};
  std::atomic<std::uint64_t> commit_ns{0};  // From the first Append of a commit to durable, summed.
  std::array<std::atomic<std::uint64_t>, kCommitBucketsNs.size() + 1> commit_buckets{};
  std::atomic<std::uint64_t> records{0};
  std::atomic<std::uint64_t> written_bytes{0};
  std::atomic<std::uint64_t> pending_bytes{0};  // Appended and not yet durable.
};

// An append-only log that outlives crashes. What durable() covers is on stable storage; the rest
// may be lost, but never half read and never out of order: each record's length, position and
// payload are under CRC-32C. A failed sync ends the process.
//
// There are no timers: what is appended while a sync runs shares the next one.
//
// Threads: those that say otherwise; one thread of its own writes and syncs, another one keeps the
// segments. Format: docs/JOURNAL.md.
class Journal {
 public:
  // Reads what is in `options.folder` into `visit`, oldest first (see ReadJournal for damage, which
  // is no failure), and gets ready to append. kVersion where a newer program wrote it, kLimit where
  // the disk has no room for a segment, else kIo.
  static Result<std::unique_ptr<Journal>> Open(const JournalOptions& options,
                                               const JournalVisitor& visit);
  ~Journal();  // Stops.
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  const JournalReport& report() const { return report_; }

  // Starts the threads. `on_progress` is called by them whenever durable() or full() has changed;
  // it must be quick.
  void Start(std::function<void()> on_progress);

  // Any thread, at any time. Takes the records of `batch`, which is empty afterwards, and returns
  // the position of the last one. Never waits for the disk.
  JournalPosition Append(JournalBatch* batch);

  // Any thread.
  JournalPosition durable() const { return durable_.load(std::memory_order_acquire); }
  JournalPosition last() const;  // Of what was appended.
  bool full() const { return segments_->full(); }
  std::uint64_t file_bytes() const { return segments_->file_bytes(); }
  std::uint64_t used_bytes() const { return segments_->used_bytes(); }  // Without spare segments.
  const JournalFigures& figures() const { return figures_; }

  // Any thread. Says that no record up to `position` will be needed; segments that hold no others
  // are given up.
  void RemoveUpTo(JournalPosition position) { segments_->RemoveBefore(position + 1); }

  // Makes durable what was appended, unless the disk is full, and ends the threads.
  void Stop();

 private:
  struct Pending {
    std::string bytes;
    std::uint64_t records = 0;
    std::int64_t since_ns = 0;
  };

  Journal(const JournalOptions& options, const JournalContents& contents, std::uint32_t salt);
  void Run();
  bool WriteAll(std::vector<Pending>* batches);
  bool Commit(std::vector<Pending>* batches);
  void WriteLastMark();  // So that damage to the last records shows as such.
  void CountCommit(std::int64_t ns);

  JournalReport report_;
  const std::uint32_t salt_;
  std::unique_ptr<JournalSegments> segments_;
  std::function<void()> on_progress_;
  JournalFigures figures_;
  JournalPosition written_ = 0;  // The journal's thread.
  std::atomic<JournalPosition> durable_{0};

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<Pending> pending_;
  std::vector<std::string> free_;  // Buffers to use again.
  JournalPosition last_ = 0;
  bool idle_ = false;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace atalaya
