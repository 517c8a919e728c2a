#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

#include "base/journal_files.h"
#include "base/journal_reader.h"
#include "base/result.h"

namespace atalaya {

inline constexpr std::size_t kKeptSpareSegments =
    4;  // Of those that were removed; more are deleted.

// The segment files of a journal: the one being written, the older ones, and spare ones, which are
// filled with zeros or used before, so that a sync writes data only. A thread of its own makes the
// spare, and removes what is asked to be removed, so that a commit waits for neither.
//
// A disk that is full is met when the spare is made: full() says so, and it is tried again every
// kRetryEvery. What is being written has the rest of its segment meanwhile.
class JournalSegments {
 public:
  static constexpr std::chrono::milliseconds kRetryEvery{500};

  struct Options {
    JournalFiles* files = nullptr;  // Outlives this.
    std::filesystem::path folder;
    std::uint64_t segment_bytes = 0;
    std::uint32_t salt = 0;
    std::function<void()> on_full_changed;  // On a thread of the journal's.
  };
  // `existing`: the bases of the segments in the folder.
  JournalSegments(Options options, std::deque<JournalPosition> existing);
  ~JournalSegments();
  JournalSegments(const JournalSegments&) = delete;
  JournalSegments& operator=(const JournalSegments&) = delete;

  // Makes the first spare where there is room for it; kIo where it cannot be made otherwise.
  Status Prepare();
  void Start();         // The thread.
  void GiveUpIfFull();  // From now on nothing waits for room.
  void Stop();          // Ends the thread, and every wait.

  // The writer's thread. `bytes` fit behind what was written so far?
  bool HasRoom(std::size_t bytes) const { return file_ && offset_ + bytes <= room_; }
  // Goes on in a new segment with room for `bytes`; all that was written before is durable. Waits
  // for a spare while the disk is full; false once that was given up.
  bool Begin(JournalPosition base, std::size_t bytes);
  // Writes behind what was written. Waits and tries again while the disk is full; false once that
  // was given up. Ends the process where the disk fails.
  bool Write(std::string_view bytes);
  void Sync();  // Ends the process where it fails.

  // Any thread. Gives up the segments that end before `position`, in time.
  void RemoveBefore(JournalPosition position);
  // Sequentially consistent: who notes that it waits for room, and asks after that, is either told
  // by `on_full_changed` or sees here that there is some.
  bool full() const { return spare_missing_.load() || write_refused_.load(); }
  std::uint64_t file_bytes() const { return file_bytes_.load(std::memory_order_relaxed); }
  // Of it without the spare ones.
  std::uint64_t used_bytes() const { return used_bytes_.load(std::memory_order_relaxed); }

 private:
  using Lock = std::unique_lock<std::mutex>;

  std::filesystem::path SparePath(std::uint64_t number) const;
  void FindSpares();
  Status MakeSpare();
  void CountUsed() { used_bytes_ = bases_.size() * options_.segment_bytes; }  // Under mutex_.
  void Keep();                                                                // The thread.
  void RemoveOld(Lock& lock);
  void SetFull(std::atomic<bool>* part, bool full, const std::string& why);
  bool GivenUp() const { return stopped_ || (give_up_ && full()); }  // Under mutex_.
  Result<std::unique_ptr<JournalFile>> OpenSpare(const std::filesystem::path& spare,
                                                 const std::filesystem::path& path);

  const Options options_;
  std::unique_ptr<JournalFile> file_;  // Being written.
  std::uint64_t offset_ = 0;
  std::uint64_t room_ = 0;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<JournalPosition> bases_;  // Ascending; the last is being written.
  std::deque<std::uint64_t> spares_;   // Their numbers.
  std::uint64_t next_spare_ = 0;
  JournalPosition remove_before_ = 0;
  bool give_up_ = false;
  bool stopped_ = false;
  std::atomic<bool> spare_missing_{false};  // There was no room for one.
  std::atomic<bool> write_refused_{false};  // There was no room within a segment.
  std::atomic<std::uint64_t> file_bytes_{0};
  std::atomic<std::uint64_t> used_bytes_{0};
  std::thread thread_;
};

}  // namespace atalaya
