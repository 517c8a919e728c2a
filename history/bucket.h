#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "telemetry/sample.h"
#include "telemetry/series_source.h"

namespace atalaya::history {

// What a tier keeps of the samples of (end_ms - width, end_ms]. Stale markers count in `last` only;
// where there is nothing else, `least`, `most` and `sum` are stale markers too.
struct Bucket {
  std::int64_t end_ms = 0;
  double least = telemetry::StaleMarker();
  double most = telemetry::StaleMarker();
  double sum = telemetry::StaleMarker();
  double count = 0;
  double last = telemetry::StaleMarker();
  // What a counter gained since the sample before the bucket's first, so that nothing is lost
  // between buckets; a fall is a reset. A stale marker where no sample came before.
  double increase = telemetry::StaleMarker();

  friend bool operator==(const Bucket&, const Bucket&) = default;
};

// Gathers samples, by rising time, into buckets of one width.
class BucketBuilder {
 public:
  // `before`: the last sample before the first one to come, if there is one; no stale marker.
  BucketBuilder(std::int64_t width_ms, std::optional<telemetry::Sample> before)
      : width_ms_(width_ms), before_(before) {}

  void Add(const telemetry::Sample& sample);
  std::vector<Bucket> Take();  // Those that have a sample, by rising time.

 private:
  void Close();  // Adds to the last bucket's sums what rounding took from them.

  const std::int64_t width_ms_;
  std::optional<telemetry::Sample> before_;
  std::vector<Bucket> buckets_;
  double sum_lost_ = 0;
  double increase_lost_ = 0;
};

// The end of the bucket that `time_ms` falls into.
std::int64_t BucketEnd(std::int64_t time_ms, std::int64_t width_ms);

inline constexpr std::size_t kMaxTierBuckets = 240;  // In one packed row.

// Packs 1 to kMaxTierBuckets buckets, ends rising and multiples of `width_ms`, column by column, so
// that one column is read without the others.
// Layout, version 2: byte 2; varint count; the ends divided by the width (EncodeTimes); then least,
// most, sum, count, last, increase: varint length, EncodeValues. Version 1 is the same with fewer
// ways to pack a column.
std::string EncodeBuckets(std::span<const Bucket> buckets, std::int64_t width_ms);

// Unpacks whole buckets, appending; any bytes: kDamaged or kVersion.
Status DecodeBuckets(std::string_view bytes, std::int64_t width_ms, std::vector<Bucket>& out);

// Unpacks one column: a sample at each bucket's end, appending. Buckets without a value in it are
// left out; in kLast a stale marker stays.
Status DecodeColumn(std::string_view bytes, std::int64_t width_ms, telemetry::Column column,
                    std::vector<telemetry::Sample>& out);

// The same of whole buckets.
void AppendColumn(std::span<const Bucket> buckets, telemetry::Column column,
                  std::vector<telemetry::Sample>& out);

}  // namespace atalaya::history
