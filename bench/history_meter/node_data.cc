#include "bench/history_meter/node_data.h"

#include <fmt/format.h>

#include <algorithm>

namespace atalaya::bench {

NodeData::NodeData(std::size_t series, std::uint32_t seed) : random_(seed) {
  for (std::size_t i = 0; i < series; ++i) {
    pace_.push_back(std::int64_t{1} << (1 + Below(16)));
    whole_.push_back(Below(4) * Below(1'000'000));
    samples_.push_back({telemetry::Labels({{"__name__", "node_figure"},
                                           {"device", fmt::format("dev{}", i / 20)},
                                           {"figure", fmt::format("{}", i % 20)},
                                           {"instance", "127.0.0.1:9100"},
                                           {"job", "node"}}),
                        {}});
  }
}

NodeData::Kind NodeData::KindOf(std::size_t series) {
  const std::size_t place = series % 20;
  if (place < 9) return Kind::kConstant;
  if (place < 11) return Kind::kEvents;
  if (place < 13) return Kind::kRareEvents;
  if (place < 16) return Kind::kSeconds;
  return place < 19 ? Kind::kPages : Kind::kLoad;
}

double NodeData::Next(Kind kind, std::size_t series) {
  std::int64_t& whole = whole_[series];
  const std::int64_t pace = pace_[series];
  switch (kind) {
    case Kind::kConstant:
      return static_cast<double>(whole);
    case Kind::kEvents:
      return static_cast<double>(whole += Below(pace));
    case Kind::kRareEvents:
      return static_cast<double>(whole += Below(5) == 0 ? Below(pace) : 0);
    case Kind::kSeconds:
      return static_cast<double>(whole += Below(500)) / 100;
    case Kind::kPages:
      whole = std::max<std::int64_t>(whole + Below(2 * pace) - pace, 0);
      return static_cast<double>(whole * 4096);
    case Kind::kLoad:
      whole = std::clamp<std::int64_t>(whole + Below(21) - 10, 0, 1000);
      return static_cast<double>(whole) / 100;
  }
  return 0;
}

const std::vector<telemetry::LabelledSample>& NodeData::Scrape(std::int64_t time_ms) {
  for (std::size_t i = 0; i < samples_.size(); ++i) {
    samples_[i].sample = {time_ms, Next(KindOf(i), i)};
  }
  return samples_;
}

}  // namespace atalaya::bench
