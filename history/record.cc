#include "history/record.h"

#include <bit>
#include <optional>

#include "history/varint.h"

namespace atalaya::history {
namespace {

using telemetry::Labels;

constexpr char kBatchFormat = 1;
constexpr std::size_t kMinBatchSampleBytes = 3;

void PutText(std::string& out, std::string_view text) {
  PutVarint(out, text.size());
  out += text;
}

std::optional<std::string> TakeText(std::string_view& in) {
  const auto size = TakeVarint(in);
  if (!size || *size > in.size()) return std::nullopt;
  std::string text(in.substr(0, *size));
  in.remove_prefix(*size);
  return text;
}

}  // namespace

std::string EncodeLabels(const Labels& labels) {
  std::string out;
  for (const auto& [name, value] : labels) {
    PutText(out, name);
    PutText(out, value);
  }
  return out;
}

Result<Labels> DecodeLabels(std::string_view bytes) {
  std::vector<Labels::Pair> pairs;
  while (!bytes.empty()) {
    auto name = TakeText(bytes);
    auto value = name ? TakeText(bytes) : std::nullopt;
    if (!value) return Fail(ErrorCode::kDamaged, "labels: cut short");
    pairs.emplace_back(std::move(*name), std::move(*value));
  }
  return Labels(std::move(pairs));
}

std::string EncodeBatch(const std::vector<BatchSample>& samples) {
  std::string out;
  out.reserve(16 + samples.size() * 10);
  out += kBatchFormat;
  PutVarint(out, samples.size());
  BatchSample before;
  for (const BatchSample& sample : samples) {
    PutVarint(out, ZigZag(std::int64_t{sample.series} - std::int64_t{before.series}));
    PutVarint(out, ZigZag(sample.sample.time_ms - before.sample.time_ms));
    PutVarint(out, __builtin_bswap64(std::bit_cast<std::uint64_t>(sample.sample.value)));
    before = sample;
  }
  return out;
}

Result<std::vector<BatchSample>> DecodeBatch(std::string_view bytes) {
  if (bytes.empty()) return Fail(ErrorCode::kDamaged, "batch: empty");
  if (bytes.front() > kBatchFormat) {
    return Fail(ErrorCode::kVersion, "batch: format {}; this program reads up to {}",
                static_cast<int>(bytes.front()), static_cast<int>(kBatchFormat));
  }
  bytes.remove_prefix(1);
  const auto count = TakeVarint(bytes);
  if (!count || *count > bytes.size() / kMinBatchSampleBytes) {
    return Fail(ErrorCode::kDamaged, "batch: damaged at its beginning");
  }
  std::vector<BatchSample> samples;
  samples.reserve(*count);
  std::uint64_t series = 0;
  std::uint64_t time = 0;
  while (samples.size() < *count) {
    const auto series_change = TakeVarint(bytes);
    const auto time_change = TakeVarint(bytes);
    const auto value = TakeVarint(bytes);
    if (!series_change || !time_change || !value) {
      return Fail(ErrorCode::kDamaged, "batch: damaged at sample {} of {}", samples.size(), *count);
    }
    series += static_cast<std::uint64_t>(UnZigZag(*series_change));
    time += static_cast<std::uint64_t>(UnZigZag(*time_change));
    samples.push_back(
        {static_cast<SeriesId>(series),
         {static_cast<std::int64_t>(time), std::bit_cast<double>(__builtin_bswap64(*value))}});
  }
  return samples;
}

}  // namespace atalaya::history
