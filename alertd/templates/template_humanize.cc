#include "alertd/templates/template_humanize.h"

#include <fmt/format.h>

#include <array>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <ctime>
#include <string_view>

namespace atalaya::alertd {
namespace {

constexpr std::array<std::string_view, 9> kLarge = {"", "k", "M", "G", "T", "P", "E", "Z", "Y"};
constexpr std::array<std::string_view, 9> kSmall = {"", "m", "u", "n", "p", "f", "a", "z", "y"};
constexpr std::array<std::string_view, 9> kBinary = {"",   "ki", "Mi", "Gi", "Ti",
                                                     "Pi", "Ei", "Zi", "Yi"};
constexpr double kLargestWhole = 9e15;  // Above it a double's seconds are no calendar time.

// A value below 1 with the prefix that makes it 1 to 1000.
std::string Small(double value) {
  std::size_t step = 0;
  for (; step + 1 < kSmall.size() && std::abs(value) < 1; ++step) value *= 1000;
  return FourDigits(value) + std::string(kSmall[step]);
}

std::string LargeBy(double value, double base, const std::array<std::string_view, 9>& prefixes) {
  std::size_t step = 0;
  for (; step + 1 < prefixes.size() && std::abs(value) >= base; ++step) value /= base;
  return FourDigits(value) + std::string(prefixes[step]);
}

}  // namespace

std::string FourDigits(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  return fmt::format("{:.4g}", value);
}

std::string Humanize(double value) {
  if (value == 0 || !std::isfinite(value)) return FourDigits(value);
  return std::abs(value) >= 1 ? LargeBy(value, 1000, kLarge) : Small(value);
}

std::string Humanize1024(double value) {
  if (std::abs(value) <= 1 || !std::isfinite(value)) return FourDigits(value);
  return LargeBy(value, 1024, kBinary);
}

std::string HumanizeDuration(double seconds) {
  if (!std::isfinite(seconds) || std::abs(seconds) > kLargestWhole) return FourDigits(seconds);
  if (seconds == 0) return "0s";
  if (std::abs(seconds) < 1) return Small(seconds) + "s";
  const std::string_view sign = seconds < 0 ? "-" : "";
  const double size = std::abs(seconds);
  const auto whole = static_cast<std::int64_t>(size);
  const std::int64_t s = whole % 60, m = whole / 60 % 60, h = whole / 3600 % 24, d = whole / 86400;
  if (d != 0) return fmt::format("{}{}d {}h {}m {}s", sign, d, h, m, s);
  if (h != 0) return fmt::format("{}{}h {}m {}s", sign, h, m, s);
  if (m != 0) return fmt::format("{}{}m {}s", sign, m, s);
  return fmt::format("{}{}s", sign, FourDigits(size));
}

std::string HumanizePercentage(double ratio) { return FourDigits(ratio * 100) + "%"; }

std::string HumanizeTimestamp(double unix_seconds) {
  if (!std::isfinite(unix_seconds) || std::abs(unix_seconds) > kLargestWhole / 1e6)
    return FourDigits(unix_seconds);
  const double floor = std::floor(unix_seconds);
  const auto whole = static_cast<std::time_t>(floor);
  std::tm utc{};
  gmtime_r(&whole, &utc);
  char text[64];
  std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &utc);
  std::string fraction = fmt::format("{:.3f}", unix_seconds - floor).substr(1);
  fraction.erase(fraction.find_last_not_of('0') + 1);
  return fmt::format("{}{} +0000 UTC", text, fraction == "." ? "" : fraction);
}

}  // namespace atalaya::alertd
