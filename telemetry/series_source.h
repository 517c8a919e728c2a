#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "telemetry/labels.h"
#include "telemetry/sample.h"

namespace atalaya::telemetry {

// One condition on a label: `job="node"`, `job!="node"`, `job=~"n.*"`, `job!~"n.*"`. An absent
// label has the value "".
struct Matcher {
  enum class Kind { kEqual, kNotEqual, kRegex, kNotRegex };
  Kind kind = Kind::kEqual;
  std::string name;
  std::string value;  // A pattern is anchored at both ends and may be taken as valid: the PromQL
                      // parser checked it.

  friend bool operator==(const Matcher&, const Matcher&) = default;
};

// What is read of buckets that stand for many samples each: one value per bucket, at its end.
// kIncrease is what a counter gained, resets taken into account, since the sample before the
// bucket's first. kLast may be a stale marker; buckets that have no value of a kind are left out.
enum class Column : std::uint8_t { kRaw, kLeast, kMost, kSum, kCount, kLast, kIncrease };

struct SelectRequest {
  std::vector<Matcher> matchers;  // All must hold.
  std::int64_t from_ms = 0;       // Both ends included.
  std::int64_t to_ms = 0;
  std::int64_t bucket_ms = 0;    // 0: samples as they came; else a width that Depths() names: the
                                 // buckets, each (end - width, end], whose end lies in the range.
  Column column = Column::kRaw;  // Of the buckets.
  std::uint64_t sample_limit = 50'000'000;  // kLimit where more would be returned.
};

struct SeriesSamples {
  Labels labels;
  std::vector<Sample> samples;  // By rising time; stale markers included.
};

// How far back a source reaches with one width of bucket.
struct Depth {
  std::int64_t width_ms = 0;                                        // 0: samples as they came.
  std::int64_t from_ms = std::numeric_limits<std::int64_t>::min();  // Older ones are gone.
};

// What PromQL reads from: history, and in tests a few series in memory.
// Threads: Select from any, several at once.
class SeriesSource {
 public:
  virtual ~SeriesSource() = default;

  // The matching series that have a sample in the range, in no particular order.
  virtual Result<std::vector<SeriesSamples>> Select(const SelectRequest& request) const = 0;

  // Hands them on one by one, in no particular order, so that a query need not hold all samples at
  // once. `take` may move and change what it gets; where it fails, that ends it. Threads: as
  // Select; `take` is called on the caller's.
  using TakeSeries = std::function<Status(Labels&, std::span<Sample>)>;
  virtual Status Each(const SelectRequest& request, const TakeSeries& take) const {
    Result<std::vector<SeriesSamples>> found = Select(request);
    if (!found) return Forward(found.error());
    for (SeriesSamples& series : *found) {
      if (Status taken = take(series.labels, series.samples); !taken) return taken;
    }
    return {};
  }

  // The widths that Select knows, the finest first: 0 at least.
  virtual std::vector<Depth> Depths() const { return {Depth{}}; }
};

}  // namespace atalaya::telemetry
