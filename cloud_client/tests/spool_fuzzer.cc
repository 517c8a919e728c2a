// Any bytes as a spool's file: records come out or they do not, in rising order of position, and
// what was read can be written and read again.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "cloud_client/spool_record.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace atalaya::cloud_client;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  SpoolRecordReader reader(bytes, 0);
  std::size_t before = 0;
  while (const auto record = reader.Next()) {
    ATALAYA_CHECK(reader.position() > before && reader.position() <= size);
    before = reader.position();
    if (record->type == SpoolRecordType::kHeader && record->version != kSpoolVersion) continue;
    std::string again;
    AppendSpoolRecord(*record, 0, &again);
    SpoolRecordReader copy(again, 0);
    const auto same = copy.Next();
    ATALAYA_CHECK(same && same->type == record->type && same->sequence == record->sequence &&
                  same->topic == record->topic && same->payload == record->payload &&
                  same->time_ms == record->time_ms && same->qos == record->qos);
    ATALAYA_CHECK(!copy.torn() && copy.damaged() == 0);
  }
  ATALAYA_CHECK(reader.torn() == (reader.position() < size));
  return 0;
}
