#pragma once

#include <cstdint>
#include <functional>
#include <memory>
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

struct SelectRequest {
  std::vector<Matcher> matchers;  // All must hold.
  std::int64_t from_ms = 0;       // Both ends included.
  std::int64_t to_ms = 0;
  std::uint64_t sample_limit = 50'000'000;  // kLimit where more would be returned.
};

struct SeriesSamples {
  Labels labels;
  std::vector<Sample> samples;  // By rising time; stale markers included.
};

// What PromQL reads from: history, and in tests a few series in memory.
// Threads: Select from any, several at once.
class SeriesSource {
 public:
  virtual ~SeriesSource() = default;

  // The matching series that have a sample in the range, in no particular order.
  virtual Result<std::vector<SeriesSamples>> Select(const SelectRequest& request) const = 0;
};

}  // namespace atalaya::telemetry
