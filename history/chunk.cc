#include "history/chunk.h"

#include "base/check.h"
#include "history/chunk_v1.h"
#include "history/columns.h"
#include "history/varint.h"

namespace atalaya::history {
namespace {

using telemetry::Sample;

constexpr char kFormat1 = 1;
constexpr char kFormat = 3;

Status DecodeColumns(std::string_view bytes, std::vector<Sample>& out) {
  const auto count = TakeVarint(bytes);
  if (!count || *count == 0 || *count > kMaxChunkSamples) {
    return Fail(ErrorCode::kDamaged, "chunk: damaged at its beginning");
  }
  std::int64_t times[kMaxChunkSamples];
  double values[kMaxChunkSamples];
  if (!DecodeTimes(bytes, *count, times)) return Fail(ErrorCode::kDamaged, "chunk: damaged times");
  if (!DecodeValues(bytes, *count, values)) {
    return Fail(ErrorCode::kDamaged, "chunk: damaged values");
  }
  const std::size_t before = out.size();
  out.resize(before + *count);
  for (std::size_t i = 0; i < *count; ++i) out[before + i] = {times[i], values[i]};
  return {};
}

}  // namespace

std::string EncodeChunk(std::span<const Sample> samples) {
  ATALAYA_CHECK(!samples.empty() && samples.size() <= kMaxChunkSamples);
  ATALAYA_CHECK(samples.front().time_ms >= 0 && samples.back().time_ms <= kMaxTimeMs);
  std::int64_t times[kMaxChunkSamples];
  double values[kMaxChunkSamples];
  for (std::size_t i = 0; i < samples.size(); ++i) {
    ATALAYA_CHECK(i == 0 || samples[i].time_ms > times[i - 1]);
    times[i] = samples[i].time_ms;
    values[i] = samples[i].value;
  }
  std::string out(1, kFormat);
  PutVarint(out, samples.size());
  EncodeTimes({times, samples.size()}, out);
  EncodeValues({values, samples.size()}, out);
  return out;
}

Status DecodeChunk(std::string_view bytes, std::vector<Sample>& out) {
  if (bytes.empty()) return Fail(ErrorCode::kDamaged, "chunk: empty");
  const char format = bytes.front();
  if (format > kFormat) {
    return Fail(ErrorCode::kVersion, "chunk: format {}; this program reads up to {}",
                static_cast<int>(format), static_cast<int>(kFormat));
  }
  if (format < kFormat1) return Fail(ErrorCode::kDamaged, "chunk: damaged at its beginning");
  bytes.remove_prefix(1);
  const std::size_t before = out.size();
  Status done = format == kFormat1 ? DecodeChunkV1(bytes, out) : DecodeColumns(bytes, out);
  if (!done) out.resize(before);
  return done;
}

}  // namespace atalaya::history
