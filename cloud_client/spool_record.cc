#include "cloud_client/spool_record.h"

#include <bit>
#include <cstring>
#include <span>

#include "base/crc32c.h"

namespace atalaya::cloud_client {
namespace {

static_assert(std::endian::native == std::endian::little);

constexpr std::string_view kMarker = "\xA7SPL";
constexpr std::uint8_t kRetainBit = 4;
constexpr std::uint8_t kQosBits = 3;

template <typename T>
void Put(T value, std::string* out) {
  char bytes[sizeof value];
  std::memcpy(bytes, &value, sizeof value);
  out->append(bytes, sizeof value);
}

// Takes fields off the front; once one is missing, `good` stays false.
struct Fields {
  std::string_view rest;
  bool good = true;

  template <typename T>
  T Take() {
    T value{};
    if (rest.size() < sizeof value) {
      good = false;
      return value;
    }
    std::memcpy(&value, rest.data(), sizeof value);
    rest.remove_prefix(sizeof value);
    return value;
  }
  std::string_view Text(std::size_t size) {
    if (rest.size() < size) {
      good = false;
      return {};
    }
    const std::string_view text = rest.substr(0, size);
    rest.remove_prefix(size);
    return text;
  }
};

std::uint32_t Checksum(std::uint64_t offset, std::string_view body) {
  char place[12];
  const auto length = static_cast<std::uint32_t>(body.size());
  std::memcpy(place, &offset, sizeof offset);
  std::memcpy(place + sizeof offset, &length, sizeof length);
  const std::uint32_t begun = Crc32c(std::as_bytes(std::span(place)));
  return Crc32c(std::as_bytes(std::span(body.data(), body.size())), begun);
}

std::optional<SpoolRecord> DecodeBody(std::string_view body) {
  Fields fields{body};
  SpoolRecord record;
  record.type = static_cast<SpoolRecordType>(fields.Take<std::uint8_t>());
  switch (record.type) {
    case SpoolRecordType::kHeader:
      record.version = fields.Take<std::uint32_t>();
      if (record.version != kSpoolVersion)
        return fields.good ? std::optional(record) : std::nullopt;
      record.sequence = fields.Take<std::uint64_t>();
      record.done_before = fields.Take<std::uint64_t>();
      record.topic = fields.Text(fields.rest.size());
      break;
    case SpoolRecordType::kPublish: {
      record.sequence = fields.Take<std::uint64_t>();
      record.time_ms = fields.Take<std::int64_t>();
      const auto flags = fields.Take<std::uint8_t>();
      record.qos = static_cast<Qos>(flags & kQosBits);
      record.retain = (flags & kRetainBit) != 0;
      if ((flags & kQosBits) > 2 || flags >= 2 * kRetainBit) return std::nullopt;
      record.topic = fields.Text(fields.Take<std::uint16_t>());
      record.payload = fields.Text(fields.rest.size());
      if (record.topic.empty()) return std::nullopt;
      break;
    }
    case SpoolRecordType::kReleased:
    case SpoolRecordType::kDone:
      record.sequence = fields.Take<std::uint64_t>();
      break;
    default:
      return std::nullopt;
  }
  if (!fields.good || !fields.rest.empty()) return std::nullopt;
  return record;
}

}  // namespace

std::size_t SpoolPublishBytes(std::size_t topic_bytes, std::size_t payload_bytes) {
  return kSpoolFrameBytes + 1 + 8 + 8 + 1 + 2 + topic_bytes + payload_bytes;
}

void AppendSpoolRecord(const SpoolRecord& record, std::uint64_t file_offset,
                       std::string* file_part) {
  const std::uint64_t place = file_offset + file_part->size();
  std::string body;
  Put(static_cast<std::uint8_t>(record.type), &body);
  if (record.type == SpoolRecordType::kHeader) Put(record.version, &body);
  Put(record.sequence, &body);
  if (record.type == SpoolRecordType::kHeader) {
    Put(record.done_before, &body);
    body += record.topic;
  } else if (record.type == SpoolRecordType::kPublish) {
    Put(record.time_ms, &body);
    Put(static_cast<std::uint8_t>(static_cast<std::uint8_t>(record.qos) |
                                  (record.retain ? kRetainBit : 0)),
        &body);
    Put(static_cast<std::uint16_t>(record.topic.size()), &body);
    body += record.topic;
    body += record.payload;
  }
  *file_part += kMarker;
  Put(static_cast<std::uint32_t>(body.size()), file_part);
  Put(Checksum(place, body), file_part);
  *file_part += body;
}

std::optional<SpoolRecord> SpoolRecordReader::At(std::size_t position, std::size_t* bytes) const {
  Fields fields{bytes_.substr(position)};
  if (fields.Text(kMarker.size()) != kMarker) return std::nullopt;
  const auto length = fields.Take<std::uint32_t>();
  const auto checksum = fields.Take<std::uint32_t>();
  const std::string_view body = fields.Text(length);
  if (!fields.good || Checksum(file_offset_ + position, body) != checksum) return std::nullopt;
  *bytes = kSpoolFrameBytes + length;
  return DecodeBody(body);
}

std::optional<SpoolRecord> SpoolRecordReader::Next() {
  for (std::size_t at = position_; at < bytes_.size(); ++at) {
    at = bytes_.find(kMarker, at);
    if (at == std::string_view::npos) return std::nullopt;
    std::size_t size = 0;
    if (const std::optional<SpoolRecord> record = At(at, &size)) {
      if (at != position_) ++damaged_;
      position_ = at + size;
      return record;
    }
  }
  return std::nullopt;
}

}  // namespace atalaya::cloud_client
