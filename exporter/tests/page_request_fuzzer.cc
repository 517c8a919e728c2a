#include <cstdint>

#include "base/check.h"
#include "exporter/page_request.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using atalaya::exporter::ParsedRequest;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  atalaya::HttpRequest request;
  const ParsedRequest parsed = atalaya::exporter::ParsePageRequest(text, request);
  if (parsed.outcome == ParsedRequest::kWhole) {
    ATALAYA_CHECK(parsed.bytes >= 4 && parsed.bytes <= size);
    ATALAYA_CHECK(!request.method.empty() && request.path.starts_with('/'));
  }
  return 0;
}
