#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "cloud_client/client.h"
#include "cloud_client/spool_record.h"

namespace atalaya::cloud_client {

// A file is closed, and a new one begun, beyond this; a file is removed once all in it is
// delivered.
inline constexpr std::uint64_t kSpoolSegmentBytes = 256u << 10;

// Packet ids of spooled publishes are their sequence modulo this, plus one: so they are the same
// after a crash without being stored. Ids above it are free for other packets.
inline constexpr std::uint16_t kSpoolPacketIds = 32'768;

// After damage at the end of the spool this many sequences are left out, as those that were lost
// may be known to the server by their packet ids.
inline constexpr std::uint64_t kSkipAfterDamage = 1'024;

// Publishes on disk, in order, until they are done: the format stands in spool_record.h. What Sync
// covered survives a crash and a loss of power; a torn tail is cut; damage elsewhere costs the
// records that it touches. Little of it is in memory. Threads: one at a time. Blocks on the disk.
class Spool {
 public:
  // A publish as it comes back. Owns its bytes.
  struct Entry {
    std::uint64_t sequence = 0;
    std::int64_t time_ms = 0;
    Client::Outgoing packet;
    bool released = false;     // Only PUBREL is still to be sent.
    bool sent_before = false;  // Perhaps: by this or an earlier process.
  };

  // Opens or makes the folder, and locks it. A new spool counts from `first_sequence`, which had
  // better differ from one spool to the next. Errors: see Client::Start.
  static Result<std::unique_ptr<Spool>> Open(const SpoolOptions& options,
                                             std::string_view client_id,
                                             std::uint64_t first_sequence);
  ~Spool();
  Spool(const Spool&) = delete;
  Spool& operator=(const Spool&) = delete;

  // Takes a publish; Sync makes it durable. Returns its sequence. kLimit at the bound.
  Result<std::uint64_t> Append(const Client::Outgoing& packet, std::int64_t time_ms);

  // Writes all that was appended, released and done, and waits for the disk. Where the disk has no
  // room (kIo), the publishes since the last Sync are out of the spool again. After a failed
  // fdatasync nothing is taken any more: the kernel's word on any page is worthless then (Rebello
  // et al., ATC 2020); see broken().
  Status Sync();
  bool broken() const { return broken_; }

  // The next publish that is neither done nor was returned since Rewind; only what Sync covered.
  Result<std::optional<Entry>> Next();
  void Rewind();  // Next begins with the oldest that is not done.

  void Release(std::uint64_t sequence);  // The server has confirmed it; durable after Sync.
  void Done(std::uint64_t sequence);     // Delivered, or refused. Durable when it is convenient.
  void NoteDone();  // Writes how far all is done, without waiting for the disk.

  std::uint64_t pending() const;     // Taken and not done.
  std::uint64_t room_bytes() const;  // For publishes as they are on disk.
  std::uint64_t disk_bytes() const { return disk_bytes_ + buffer_.size(); }
  std::uint64_t damaged() const { return damaged_; }  // Places that could not be read.
  std::uint64_t next_sequence() const { return next_sequence_; }

 private:
  struct Segment {
    std::string path;
    std::uint64_t number = 0;          // Of the file.
    std::uint64_t first_sequence = 0;  // Of a publish that it may hold.
    std::uint64_t bytes = 0;
    std::uint64_t header_bytes = 0;  // Of one that this process began.
  };

  Spool(SpoolOptions options, std::string client_id, UniqueFd folder);
  Status Recover(std::uint64_t first_sequence);
  Result<bool> RecoverSegment(Segment* segment);
  Status BeginSegment();
  Status RoomInSegment(std::size_t bytes);
  Status WriteBuffer();
  Result<bool> Fill();
  std::optional<Entry> Take(const SpoolRecord& record);
  void AppendState(SpoolRecordType type, std::uint64_t sequence);
  void SkipTo(std::uint64_t sequence);
  void AdvanceDone();
  void RemoveDoneSegments();

  const SpoolOptions options_;
  const std::string client_id_;
  UniqueFd folder_;  // Locked.
  UniqueFd active_;  // The last segment, open for appending.
  bool broken_ = false;
  bool dirty_ = false;  // Something is to be synced.
  std::deque<Segment> segments_;
  std::string buffer_;  // Of the last segment, not yet written.
  std::uint64_t disk_bytes_ = 0;
  std::uint64_t damaged_ = 0;

  std::uint64_t next_sequence_ = 1;
  std::uint64_t durable_sequence_ = 1;  // All before it are durable.
  std::uint64_t done_before_ = 1;
  std::uint64_t noted_done_ = 0;
  std::uint64_t sent_before_ = 0;  // All before it may have been sent.
  std::set<std::uint64_t> done_;   // Out of order.
  std::set<std::uint64_t> released_;
  std::vector<std::uint64_t> new_released_;      // Since the last Sync.
  std::map<std::uint64_t, std::uint64_t> gaps_;  // Sequences that are not there: first, end.

  // Reading: the records from `read_position_` of the segment on; `chunk_` begins there.
  std::size_t read_segment_ = 0;
  std::uint64_t read_position_ = 0;
  std::uint64_t read_sequence_ = 1;
  std::string chunk_;
};

}  // namespace atalaya::cloud_client
