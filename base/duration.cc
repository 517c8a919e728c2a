#include "base/duration.h"

#include <array>
#include <charconv>
#include <cmath>
#include <limits>

namespace atalaya {
namespace {

struct DurationUnit {
  std::string_view name;
  std::int64_t ms;
};

// Largest first; "ms" stands behind "m" and is told apart by the longest match.
constexpr std::array<DurationUnit, 7> kDurationUnits{{{"y", 365LL * 86'400'000},
                                                      {"w", 7LL * 86'400'000},
                                                      {"d", 86'400'000},
                                                      {"h", 3'600'000},
                                                      {"m", 60'000},
                                                      {"s", 1000},
                                                      {"ms", 1}}};

struct SizeUnit {
  std::string_view name;
  double bytes;
};

constexpr std::array<SizeUnit, 10> kSizeUnits{{{"", 1},
                                               {"B", 1},
                                               {"KB", 1e3},
                                               {"MB", 1e6},
                                               {"GB", 1e9},
                                               {"TB", 1e12},
                                               {"KiB", 1024},
                                               {"MiB", 1048576},
                                               {"GiB", 1073741824},
                                               {"TiB", 1099511627776}}};

tl::unexpected<Error> NotADuration(std::string_view text) {
  return Fail(ErrorCode::kInvalid, "\"{}\" is not a duration (write 30s, 5m, 2h or 1d)", text);
}

}  // namespace

Result<std::chrono::milliseconds> ParseDuration(std::string_view text) {
  if (text == "0") return std::chrono::milliseconds(0);
  if (text.empty()) return NotADuration(text);
  std::int64_t total = 0;
  std::size_t next_unit = 0;
  std::string_view rest = text;
  while (!rest.empty()) {
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), number);
    if (error != std::errc() || rest.front() == '-') return NotADuration(text);
    rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
    std::size_t length = 0;
    while (length < rest.size() && (rest[length] < '0' || rest[length] > '9')) ++length;
    const std::string_view name = rest.substr(0, length);
    while (next_unit < kDurationUnits.size() && kDurationUnits[next_unit].name != name) ++next_unit;
    if (next_unit == kDurationUnits.size()) return NotADuration(text);
    const std::int64_t unit_ms = kDurationUnits[next_unit].ms;
    if (number > (std::numeric_limits<std::int64_t>::max() - total) / unit_ms)
      return NotADuration(text);
    total += number * unit_ms;
    ++next_unit;
    rest.remove_prefix(length);
  }
  return std::chrono::milliseconds(total);
}

std::string FormatDuration(std::chrono::milliseconds duration) {
  std::int64_t rest = duration.count();
  if (rest == 0) return "0s";
  std::string text;
  if (rest < 0) {
    text = "-";
    rest = -rest;
  }
  for (const DurationUnit& unit : kDurationUnits) {
    // Years and weeks only where nothing is left over: "90d" reads better than "12w6d".
    if ((unit.name == "y" || unit.name == "w") && rest % unit.ms != 0) continue;
    if (rest >= unit.ms) {
      text += fmt::format("{}{}", rest / unit.ms, unit.name);
      rest %= unit.ms;
    }
  }
  return text;
}

Result<std::uint64_t> ParseSize(std::string_view text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc() && std::isfinite(number) && number >= 0) {
    std::string_view name(end, static_cast<std::size_t>(text.data() + text.size() - end));
    if (!name.empty() && name.front() == ' ') name.remove_prefix(1);
    for (const SizeUnit& unit : kSizeUnits) {
      if (unit.name == name && number * unit.bytes < 1e18)
        return static_cast<std::uint64_t>(number * unit.bytes);
    }
  }
  return Fail(ErrorCode::kInvalid, "\"{}\" is not a size (write 512KiB, 10MB or 1.5GiB)", text);
}

}  // namespace atalaya
