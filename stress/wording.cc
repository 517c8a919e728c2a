#include "stress/wording.h"

#include <fmt/format.h>

#include <cmath>

namespace atalaya::stress {

std::string WordCount(std::uint64_t count) {
  std::string text = std::to_string(count);
  for (std::size_t at = text.size(); at > 3; at -= 3) text.insert(at - 3, ",");
  return text;
}

std::string WordNumber(double value) {
  const double size = std::fabs(value);
  if (size >= 100) {
    return (value < 0 ? "-" : "") + WordCount(static_cast<std::uint64_t>(std::llround(size)));
  }
  if (size >= 10) return fmt::format("{:.1f}", value);
  if (size == std::floor(size)) return fmt::format("{:.0f}", value);
  return size >= 1 ? fmt::format("{:.2f}", value) : fmt::format("{:.3g}", value);
}

std::string WordLatency(std::int64_t ns) {
  const auto value = static_cast<double>(ns);
  if (value < 1e3) return fmt::format("{} ns", ns);
  if (value < 1e6) return fmt::format("{} us", WordNumber(value / 1e3));
  if (value < 1e9) return fmt::format("{} ms", WordNumber(value / 1e6));
  return fmt::format("{} s", WordNumber(value / 1e9));
}

std::string WordBytes(std::uint64_t bytes) {
  const auto value = static_cast<double>(bytes);
  if (value < 1e3) return fmt::format("{} B", bytes);
  if (value < 1e6) return fmt::format("{:.1f} kB", value / 1e3);
  if (value < 1e9) return fmt::format("{:.1f} MB", value / 1e6);
  return fmt::format("{:.2f} GB", value / 1e9);
}

std::string WordPercent(double percent) { return fmt::format("{:.1f} %", percent); }

std::string WordSeconds(std::int64_t ns) {
  return fmt::format("{:.2f} s", static_cast<double>(ns) / 1e9);
}

}  // namespace atalaya::stress
