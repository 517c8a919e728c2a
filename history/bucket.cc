#include "history/bucket.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "history/chunk.h"
#include "history/columns.h"
#include "history/varint.h"

namespace atalaya::history {
namespace {

using telemetry::Column;
using telemetry::IsStaleMarker;
using telemetry::Sample;

constexpr char kFirstRowFormat = 1;
constexpr char kRowFormat = 2;
constexpr std::size_t kColumns = 6;

// In the order of the layout.
constexpr std::array<double Bucket::*, kColumns> kFields = {
    &Bucket::least, &Bucket::most, &Bucket::sum, &Bucket::count, &Bucket::last, &Bucket::increase};

std::size_t IndexOf(Column column) {
  ATALAYA_CHECK(column != Column::kRaw);
  return static_cast<std::size_t>(column) - 1;
}

// Neumaier's sum: the decimal sum of decimals comes out as such, which packs well.
void Add(double term, double& sum, double& lost) {
  if (IsStaleMarker(sum)) {
    sum = term;
    lost = 0;
    return;
  }
  const double next = sum + term;
  if (std::isfinite(next)) {
    lost += std::fabs(sum) >= std::fabs(term) ? (sum - next) + term : (term - next) + sum;
  }
  sum = next;
}

bool Worth(Column column, double value) {
  if (column == Column::kLast) return true;
  return column == Column::kCount ? value > 0 : !IsStaleMarker(value);
}

struct Row {
  std::size_t count = 0;
  std::array<std::int64_t, kMaxTierBuckets> ends;
};

Status DecodeHead(std::string_view& bytes, std::int64_t width_ms, Row& row) {
  if (bytes.empty()) return Fail(ErrorCode::kDamaged, "tier: empty");
  if (bytes.front() > kRowFormat) {
    return Fail(ErrorCode::kVersion, "tier: format {}; this program reads up to {}",
                static_cast<int>(bytes.front()), static_cast<int>(kRowFormat));
  }
  const bool known = bytes.front() >= kFirstRowFormat;
  bytes.remove_prefix(1);
  const auto count = TakeVarint(bytes);
  if (!known || !count || *count == 0 || *count > kMaxTierBuckets ||
      !DecodeTimes(bytes, *count, row.ends.data()) ||
      row.ends[*count - 1] > kMaxTimeMs / width_ms + 1) {
    return Fail(ErrorCode::kDamaged, "tier: damaged at its beginning");
  }
  row.count = *count;
  for (std::size_t i = 0; i < row.count; ++i) row.ends[i] *= width_ms;
  return {};
}

bool TakeColumn(std::string_view& bytes, std::string_view& column) {
  const auto size = TakeVarint(bytes);
  if (!size || *size > bytes.size()) return false;
  column = bytes.substr(0, *size);
  bytes.remove_prefix(*size);
  return true;
}

}  // namespace

std::int64_t BucketEnd(std::int64_t time_ms, std::int64_t width_ms) {
  const std::int64_t rest = time_ms % width_ms;
  if (rest == 0) return time_ms;
  return time_ms - rest + (rest > 0 ? width_ms : 0);
}

void BucketBuilder::Add(const Sample& sample) {
  const std::int64_t end_ms = BucketEnd(sample.time_ms, width_ms_);
  if (buckets_.empty() || buckets_.back().end_ms != end_ms) {
    Close();
    buckets_.emplace_back().end_ms = end_ms;
  }
  Bucket& bucket = buckets_.back();
  bucket.last = sample.value;
  if (IsStaleMarker(sample.value)) return;
  const double value = sample.value;
  if (bucket.count == 0 || value < bucket.least || std::isnan(bucket.least)) bucket.least = value;
  if (bucket.count == 0 || value > bucket.most || std::isnan(bucket.most)) bucket.most = value;
  ++bucket.count;
  history::Add(value, bucket.sum, sum_lost_);
  if (before_) {
    const double gain = value < before_->value ? value : value - before_->value;
    history::Add(gain, bucket.increase, increase_lost_);
  }
  before_ = sample;
}

void BucketBuilder::Close() {
  if (!buckets_.empty()) {
    Bucket& bucket = buckets_.back();
    if (std::isfinite(bucket.sum)) bucket.sum += sum_lost_;
    if (std::isfinite(bucket.increase)) bucket.increase += increase_lost_;
  }
  sum_lost_ = increase_lost_ = 0;
}

std::vector<Bucket> BucketBuilder::Take() {
  Close();
  return std::move(buckets_);
}

std::string EncodeBuckets(std::span<const Bucket> buckets, std::int64_t width_ms) {
  ATALAYA_CHECK(!buckets.empty() && buckets.size() <= kMaxTierBuckets);
  std::array<std::int64_t, kMaxTierBuckets> ends;
  std::array<double, kMaxTierBuckets> values;
  for (std::size_t i = 0; i < buckets.size(); ++i) ends[i] = buckets[i].end_ms / width_ms;
  std::string out(1, kRowFormat);
  PutVarint(out, buckets.size());
  EncodeTimes({ends.data(), buckets.size()}, out);
  std::string column;
  for (const auto field : kFields) {
    for (std::size_t i = 0; i < buckets.size(); ++i) values[i] = buckets[i].*field;
    column.clear();
    EncodeValues({values.data(), buckets.size()}, column);
    PutVarint(out, column.size());
    out += column;
  }
  return out;
}

Status DecodeBuckets(std::string_view bytes, std::int64_t width_ms, std::vector<Bucket>& out) {
  Row row;
  if (Status done = DecodeHead(bytes, width_ms, row); !done) return done;
  const std::size_t before = out.size();
  for (std::size_t i = 0; i < row.count; ++i) out.emplace_back().end_ms = row.ends[i];
  std::array<double, kMaxTierBuckets> values;
  for (const auto field : kFields) {
    std::string_view column;
    if (!TakeColumn(bytes, column) || !DecodeValues(column, row.count, values.data())) {
      out.resize(before);
      return Fail(ErrorCode::kDamaged, "tier: damaged values");
    }
    for (std::size_t i = 0; i < row.count; ++i) out[before + i].*field = values[i];
  }
  return {};
}

Status DecodeColumn(std::string_view bytes, std::int64_t width_ms, Column column,
                    std::vector<Sample>& out) {
  Row row;
  if (Status done = DecodeHead(bytes, width_ms, row); !done) return done;
  std::string_view packed;
  for (std::size_t i = 0; i <= IndexOf(column); ++i) {
    if (!TakeColumn(bytes, packed)) return Fail(ErrorCode::kDamaged, "tier: cut short");
  }
  std::array<double, kMaxTierBuckets> values;
  if (!DecodeValues(packed, row.count, values.data())) {
    return Fail(ErrorCode::kDamaged, "tier: damaged values");
  }
  for (std::size_t i = 0; i < row.count; ++i) {
    if (Worth(column, values[i])) out.push_back({row.ends[i], values[i]});
  }
  return {};
}

void AppendColumn(std::span<const Bucket> buckets, Column column, std::vector<Sample>& out) {
  const auto field = kFields[IndexOf(column)];
  for (const Bucket& bucket : buckets) {
    if (Worth(column, bucket.*field)) out.push_back({bucket.end_ms, bucket.*field});
  }
}

}  // namespace atalaya::history
