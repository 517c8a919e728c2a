#pragma once

#include <array>
#include <string_view>

namespace atalaya::stress {

struct Percentile {
  double percent;
  std::string_view name;
};

// The rows of the report's latency table.
inline constexpr std::array<Percentile, 9> kPercentiles = {{{50, "p50"},
                                                            {75, "p75"},
                                                            {90, "p90"},
                                                            {95, "p95"},
                                                            {99, "p99"},
                                                            {99.9, "p99.9"},
                                                            {99.99, "p99.99"},
                                                            {99.999, "p99.999"},
                                                            {100, "max"}}};

}  // namespace atalaya::stress
