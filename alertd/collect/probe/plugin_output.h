#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace atalaya::alertd {

inline constexpr std::size_t kMaxPluginTextBytes = 512;
inline constexpr std::size_t kMaxPerfValues = 64;  // Of one look; further ones are passed over.
inline constexpr std::size_t kMaxPerfLabelBytes = 128;

// What a Nagios plugin said.
struct PluginOutput {
  struct Value {
    std::string label;
    double value = 0;  // Times in seconds, sizes in bytes.
  };
  std::string text;           // Its first line, without the figures; UTF-8 without control codes.
  std::vector<Value> values;  // Its performance data.
};

// Reads `output` as the Nagios Plugin Development Guidelines and the Nagios Plugin API have it:
// text before the first "|" of the first line, figures behind it, and behind the next "|" of the
// lines after it. Figures that are none are passed over; the first of the same label counts.
PluginOutput ReadPluginOutput(std::string_view output);

}  // namespace atalaya::alertd
