#pragma once

#include <cstdint>
#include <random>
#include <vector>

#include "telemetry/sample.h"

namespace atalaya::bench {

// Made-up figures of one machine, shaped as an exporter's are: of twenty series nine stand still,
// four count events (two of them rarely), three count seconds to two places, three are sizes in
// pages that wander, one is a load to two places. The same for the same seed.
class NodeData {
 public:
  explicit NodeData(std::size_t series, std::uint32_t seed = 1);

  // All series' samples of one scrape; valid until the next call.
  const std::vector<telemetry::LabelledSample>& Scrape(std::int64_t time_ms);

 private:
  enum class Kind : std::uint8_t { kConstant, kEvents, kRareEvents, kSeconds, kPages, kLoad };
  static Kind KindOf(std::size_t series);
  double Next(Kind kind, std::size_t series);
  std::int64_t Below(std::int64_t bound) {
    return static_cast<std::int64_t>(random_() % static_cast<std::uint64_t>(bound));
  }

  std::mt19937_64 random_;
  std::vector<std::int64_t> whole_;  // Each series' value, in events, hundredths or pages.
  std::vector<std::int64_t> pace_;   // What it changes by at most.
  std::vector<telemetry::LabelledSample> samples_;
};

}  // namespace atalaya::bench
