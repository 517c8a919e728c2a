#pragma once

#include <string_view>
#include <vector>

#include "base/result.h"
#include "telemetry/labels.h"

namespace atalaya::promql {

// A line of a promqltest file that describes a series: `up{job="node"} 1 _ 3+1x4 stale {{...}}`.
struct TestSeries {
  enum class Kind { kFloat, kOmitted, kHistogram };
  struct Item {
    Kind kind = Kind::kFloat;
    double value = 0;
  };
  telemetry::Labels labels;
  std::vector<Item> items;  // One per step. Of native histograms only that they are there.
};

// kInvalid with what is wrong, without a place.
Result<TestSeries> ParseTestSeries(std::string_view line);

inline constexpr std::size_t kMaxTestItems = 1'000'000;  // In one series, and loaded by one file.

}  // namespace atalaya::promql
