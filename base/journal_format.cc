#include "base/journal_format.h"

#include <fmt/format.h>

#include <bit>
#include <charconv>
#include <cstring>

#include "base/crc32c.h"

namespace atalaya::journal_format {
namespace {

static_assert(std::endian::native == std::endian::little);

constexpr std::string_view kPrefix = "journal-";
constexpr std::size_t kNameDigits = 16;
constexpr char kMagic[8] = {'A', 'T', 'L', 'J', 'R', 'N', 'L', '\n'};

struct HeaderLayout {
  char magic[8];
  std::uint32_t version;
  std::uint32_t version_check;  // ~version: so that a newer version is told from damage.
  std::uint64_t base;
  std::uint32_t salt;
  std::uint32_t crc;  // CRC-32C of the bytes before it.
};
static_assert(2 * sizeof(HeaderLayout) == kSegmentHeaderBytes);

// Offsets within a record's header.
constexpr std::size_t kHeaderCrcAt = 0;   // u32, of the rest of the header.
constexpr std::size_t kPayloadCrcAt = 4;  // u32
constexpr std::size_t kLengthAt = 8;      // u32, of the payload; kMarkFlag set in a mark.
constexpr std::size_t kPositionAt = 12;   // u64

std::uint32_t CrcOf(const char* data, std::size_t size, std::uint32_t salt) {
  return Crc32c(std::as_bytes(std::span(data, size)), salt);
}

template <typename T>
T Load(const char* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

template <typename T>
void Store(char* at, T value) {
  std::memcpy(at, &value, sizeof value);
}

}  // namespace

std::string EncodeSegmentHeader(const SegmentHeader& header) {
  HeaderLayout layout{};
  std::memcpy(layout.magic, kMagic, sizeof kMagic);
  layout.version = header.version;
  layout.version_check = ~header.version;
  layout.base = header.base;
  layout.salt = header.salt;
  layout.crc = CrcOf(reinterpret_cast<const char*>(&layout), offsetof(HeaderLayout, crc), 0);
  const std::string copy(reinterpret_cast<const char*>(&layout), sizeof layout);
  return copy + copy;
}

std::optional<SegmentHeader> DecodeSegmentHeader(std::string_view segment) {
  if (segment.size() < kSegmentHeaderBytes) return std::nullopt;
  for (std::size_t at = 0; at < kSegmentHeaderBytes; at += sizeof(HeaderLayout)) {
    const auto layout = Load<HeaderLayout>(segment.data() + at);
    if (std::memcmp(layout.magic, kMagic, sizeof kMagic) != 0) continue;
    if (layout.version_check != ~layout.version) continue;
    if (layout.version != kVersion) return SegmentHeader{layout.version, 0, 0};
    if (layout.crc != CrcOf(segment.data() + at, offsetof(HeaderLayout, crc), 0)) continue;
    return SegmentHeader{layout.version, layout.salt, layout.base};
  }
  return std::nullopt;
}

void AppendRecordHeader(std::string* out) { out->append(kRecordHeaderBytes, '\0'); }

void SetLength(std::string* out, std::size_t at) {
  Store(out->data() + at + kLengthAt,
        static_cast<std::uint32_t>(out->size() - at - kRecordHeaderBytes));
}

char* SealRecord(char* record, std::uint64_t position, std::uint32_t salt) {
  const std::size_t length = Load<std::uint32_t>(record + kLengthAt) & ~kMarkFlag;
  Store(record + kPositionAt, position);
  Store(record + kPayloadCrcAt, CrcOf(record + kRecordHeaderBytes, length, salt));
  Store(record + kHeaderCrcAt,
        CrcOf(record + kPayloadCrcAt, kRecordHeaderBytes - kPayloadCrcAt, salt));
  return record + kRecordHeaderBytes + length;
}

void AppendMark(std::string* out) {
  const std::size_t at = out->size();
  out->append(kRecordHeaderBytes + sizeof(std::uint64_t), '\0');
  Store(out->data() + at + kLengthAt,
        static_cast<std::uint32_t>(kMarkFlag | sizeof(std::uint64_t)));
}

char* SealMark(char* mark, std::uint64_t next_position, std::uint64_t durable, std::uint32_t salt) {
  Store(mark + kRecordHeaderBytes, durable);
  return SealRecord(mark, next_position, salt);
}

std::optional<RecordView> ReadRecord(std::string_view segment, std::size_t offset,
                                     std::uint64_t lowest, std::uint64_t below,
                                     std::uint32_t salt) {
  if (offset > segment.size() || segment.size() - offset < kRecordHeaderBytes) return std::nullopt;
  const char* const at = segment.data() + offset;
  // The cheapest check first: a search for the next record comes by here for every byte.
  const auto position = Load<std::uint64_t>(at + kPositionAt);
  if (position < lowest || position >= below) return std::nullopt;
  if (Load<std::uint32_t>(at + kHeaderCrcAt) !=
      CrcOf(at + kPayloadCrcAt, kRecordHeaderBytes - kPayloadCrcAt, salt)) {
    return std::nullopt;
  }
  RecordView view;
  view.position = position;
  const auto length = Load<std::uint32_t>(at + kLengthAt);
  view.is_mark = (length & kMarkFlag) != 0;
  view.payload = segment.substr(offset + kRecordHeaderBytes);
  if ((length & ~kMarkFlag) > view.payload.size()) return std::nullopt;
  view.payload = view.payload.substr(0, length & ~kMarkFlag);
  if (Load<std::uint32_t>(at + kPayloadCrcAt) !=
      CrcOf(view.payload.data(), view.payload.size(), salt)) {
    return std::nullopt;
  }
  if (view.is_mark) {
    if (view.payload.size() != sizeof view.durable) return std::nullopt;
    view.durable = Load<std::uint64_t>(view.payload.data());
  }
  view.bytes = kRecordHeaderBytes + view.payload.size();
  return view;
}

std::string SegmentName(std::uint64_t base) {
  return fmt::format("{}{:0{}x}{}", kPrefix, base, kNameDigits, kSuffix);
}

std::optional<std::uint64_t> BaseOfName(std::string_view name) {
  if (!name.starts_with(kPrefix) || !name.ends_with(kSuffix)) return std::nullopt;
  if (name.size() != kPrefix.size() + kNameDigits + kSuffix.size()) return std::nullopt;
  const std::string_view digits = name.substr(kPrefix.size(), kNameDigits);
  std::uint64_t base = 0;
  const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), base, 16);
  if (parsed.ec != std::errc() || parsed.ptr != digits.data() + digits.size()) return std::nullopt;
  return base;
}

}  // namespace atalaya::journal_format
