#include "cloud_server/durable_record.h"

namespace atalaya::cloud_server {

std::uint64_t RecordReader::Varint() {
  std::uint64_t value = 0;
  for (unsigned shift = 0; shift < 64 && !rest_.empty(); shift += 7) {
    const auto byte = static_cast<std::uint8_t>(rest_.front());
    rest_.remove_prefix(1);
    value |= static_cast<std::uint64_t>(byte & 0x7Fu) << shift;
    if ((byte & 0x80u) == 0) return value;
  }
  Fail();
  return 0;
}

}  // namespace atalaya::cloud_server
