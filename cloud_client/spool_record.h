#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "cloud_client/client.h"

// The format of a spool's files. A file is a row of records; the first is its header. All integers
// are little endian.
//
//   record:   marker "\xA7SPL" · length of the body u32 · CRC-32C u32 · body
//   body:     type u8, then
//     header    format version u32 · sequence of the first publish u64 · all before it are done u64
//               · client id
//     publish   sequence u64 · time i64 (UTC ms) · QoS and retain u8 · topic length u16 · topic ·
//               payload
//     released  sequence u64: the server has confirmed a QoS 2 publish, only PUBREL is still to go
//     done      sequence u64: every publish before it is delivered
//
// The CRC is over the record's place in its file (u64), the length and the body, so that a record
// is never taken for one from elsewhere.
namespace atalaya::cloud_client {

inline constexpr std::uint32_t kSpoolVersion = 1;
inline constexpr std::size_t kSpoolFrameBytes = 12;  // What a record has besides its body.

enum class SpoolRecordType : std::uint8_t {
  kHeader = 1,
  kPublish = 2,
  kReleased = 3,
  kDone = 4,
};

// One record. Views point into the bytes it was decoded from.
struct SpoolRecord {
  SpoolRecordType type = SpoolRecordType::kPublish;
  std::uint64_t sequence = 0;
  std::uint32_t version = 0;      // kHeader
  std::uint64_t done_before = 0;  // kHeader
  std::int64_t time_ms = 0;       // kPublish, as all below.
  Qos qos = Qos::kAtMostOnce;
  bool retain = false;
  std::string_view topic;    // kHeader: the client id.
  std::string_view payload;  // kPublish
};

// The size that a publish has on disk.
std::size_t SpoolPublishBytes(std::size_t topic_bytes, std::size_t payload_bytes);

// Appends `record` to `file_part`, which begins at `file_offset` of the file.
void AppendSpoolRecord(const SpoolRecord& record, std::uint64_t file_offset,
                       std::string* file_part);

// Reads the records of a file's bytes one after the other. Bytes that are no record are skipped up
// to the next one that is whole.
class SpoolRecordReader {
 public:
  // `bytes` begin at `file_offset` of the file, and must outlive the records.
  SpoolRecordReader(std::string_view bytes, std::uint64_t file_offset)
      : bytes_(bytes), file_offset_(file_offset) {}

  std::optional<SpoolRecord> Next();

  std::size_t position() const { return position_; }  // After the last record.
  std::uint64_t damaged() const { return damaged_; }  // Places that were skipped before it.
  // After Next returned nothing: whether bytes are left that no record follows.
  bool torn() const { return position_ < bytes_.size(); }

 private:
  std::optional<SpoolRecord> At(std::size_t position, std::size_t* bytes) const;

  std::string_view bytes_;
  std::uint64_t file_offset_;
  std::size_t position_ = 0;
  std::uint64_t damaged_ = 0;
};

}  // namespace atalaya::cloud_client
