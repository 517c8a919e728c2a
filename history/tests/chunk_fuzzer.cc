// Any bytes: the decoder refuses them, or gives samples that encode and decode to themselves.

#include <bit>
#include <cstdlib>

#include "history/chunk.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using atalaya::telemetry::Sample;
  std::vector<Sample> samples;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (!atalaya::history::DecodeChunk(bytes, samples)) {
    if (!samples.empty()) std::abort();
    return 0;
  }
  std::vector<Sample> again;
  if (!atalaya::history::DecodeChunk(atalaya::history::EncodeChunk(samples), again)) std::abort();
  if (again.size() != samples.size()) std::abort();
  for (std::size_t i = 0; i < samples.size(); ++i) {
    if (again[i].time_ms != samples[i].time_ms ||
        std::bit_cast<std::uint64_t>(again[i].value) !=
            std::bit_cast<std::uint64_t>(samples[i].value)) {
      std::abort();
    }
  }
  return 0;
}
