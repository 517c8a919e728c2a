#include <cstdint>
#include <span>

#include "base/check.h"
#include "telemetry/server_state.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace atalaya::telemetry;
  const auto snapshot = ParseStats(std::as_bytes(std::span(data, size)), "fuzz");
  if (!snapshot) return 0;
  ATALAYA_CHECK(!snapshot->loops.empty());
  std::int64_t sum = 0;
  for (const StatInfo& stat : kStats) sum ^= snapshot->Total(stat.id);
  JudgeInput input;
  input.process = ProcessIdentity{snapshot->process_start_ticks, 'R'};
  input.now_steady_ns = sum;
  JudgeState(*snapshot, input);
  return 0;
}
