// Any bytes as a row of a tier: the decoder refuses them and adds nothing, or gives buckets of
// which each column, read alone, says the same, and which encode and decode to themselves.

#include <bit>
#include <cstdlib>

#include "history/bucket.h"

namespace {

using atalaya::history::Bucket;
using atalaya::history::DecodeColumn;
using atalaya::telemetry::Column;
using atalaya::telemetry::Sample;

constexpr std::int64_t kWidthMs = 3'600'000;

void Expect(bool holds) {
  if (!holds) std::abort();
}

bool Same(double a, double b) {
  return std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b);
}

void ExpectColumnsOf(std::string_view bytes, const std::vector<Bucket>& buckets) {
  for (const Column column : {Column::kLeast, Column::kMost, Column::kSum, Column::kCount,
                              Column::kLast, Column::kIncrease}) {
    std::vector<Sample> alone;
    std::vector<Sample> of_buckets;
    Expect(DecodeColumn(bytes, kWidthMs, column, alone).has_value());
    AppendColumn(buckets, column, of_buckets);
    Expect(alone.size() == of_buckets.size());
    for (std::size_t i = 0; i < alone.size(); ++i) {
      Expect(alone[i].time_ms == of_buckets[i].time_ms);
      Expect(Same(alone[i].value, of_buckets[i].value));
    }
  }
}

void ExpectRoundTrip(const std::vector<Bucket>& buckets) {
  std::vector<Bucket> again;
  Expect(DecodeBuckets(EncodeBuckets(buckets, kWidthMs), kWidthMs, again).has_value());
  Expect(again.size() == buckets.size());
  for (std::size_t i = 0; i < buckets.size(); ++i) {
    Expect(again[i].end_ms == buckets[i].end_ms);
    for (const auto field : {&Bucket::least, &Bucket::most, &Bucket::sum, &Bucket::count,
                             &Bucket::last, &Bucket::increase}) {
      Expect(Same(again[i].*field, buckets[i].*field));
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  std::vector<Bucket> buckets;
  if (!DecodeBuckets(bytes, kWidthMs, buckets)) {
    Expect(buckets.empty());
    std::vector<Sample> alone;
    if (!DecodeColumn(bytes, kWidthMs, Column::kIncrease, alone)) Expect(alone.empty());
    return 0;
  }
  ExpectColumnsOf(bytes, buckets);
  ExpectRoundTrip(buckets);
  return 0;
}
