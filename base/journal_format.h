#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

// How a journal lies in its files, version 1, little endian. A segment is a header and then records
// one behind the other; zeros, or records of an earlier use of the file, follow. Only journal_*.cc
// and their tests include this. docs/JOURNAL.md describes it.
namespace atalaya::journal_format {

inline constexpr std::uint32_t kVersion = 1;
inline constexpr std::size_t kSegmentHeaderBytes = 64;  // Two copies, so that one may be damaged.
inline constexpr std::size_t kRecordHeaderBytes = 20;

// A record of the journal's own: it says up to which position all was durable when it was written,
// and carries the position of the record that follows it.
inline constexpr std::uint32_t kMarkFlag = 1u << 31;

struct SegmentHeader {
  std::uint32_t version = kVersion;
  std::uint32_t salt = 0;  // Of the whole journal.
  std::uint64_t base = 0;  // Position of the first record.
};
std::string EncodeSegmentHeader(const SegmentHeader& header);

// nullopt where both copies are damaged. Of a version other than kVersion nothing else is read.
std::optional<SegmentHeader> DecodeSegmentHeader(std::string_view segment);

// Leaves room for a record's header at the end of `out`; the payload is appended behind it, and its
// length then written with SetLength. `at`: where the header begins.
void AppendRecordHeader(std::string* out);
void SetLength(std::string* out, std::size_t at);

// Fills in the position and both CRCs of the record at `record`. Returns where the next one begins.
//
// The CRCs begin from the salt, which no client knows: so nothing that a client sends can look like
// a record where reading resumes after damage. The header has a CRC of its own, so that a length is
// believed before that many bytes are read.
char* SealRecord(char* record, std::uint64_t position, std::uint32_t salt);

// A mark in two steps: room for it, and later its content.
void AppendMark(std::string* out);
char* SealMark(char* mark, std::uint64_t next_position, std::uint64_t durable, std::uint32_t salt);

struct RecordView {
  std::uint64_t position = 0;
  std::string_view payload;
  bool is_mark = false;
  std::uint64_t durable = 0;  // Of a mark.
  std::size_t bytes = 0;      // With its header.
};
// The record at `offset` of `segment`; nullopt where none is there whole and right, or where its
// position is not within [lowest, below).
std::optional<RecordView> ReadRecord(std::string_view segment, std::size_t offset,
                                     std::uint64_t lowest, std::uint64_t below, std::uint32_t salt);

// "journal-0000000000000001.segment" and back.
std::string SegmentName(std::uint64_t base);
std::optional<std::uint64_t> BaseOfName(std::string_view name);

inline constexpr std::string_view kSparePrefix = "spare-";
inline constexpr std::string_view kDamagedPrefix = "damaged-";
inline constexpr std::string_view kSuffix = ".segment";

}  // namespace atalaya::journal_format
