// Reads any bytes as a promqltest file and runs it. Every evaluation must end in one of the three
// counts.

#include <cstdint>
#include <string_view>

#include "promql/testfile.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  (void)atalaya::promql::RunTestText(text, "fuzz.test");
  return 0;
}
