#include "alertd/notify/retry.h"

#include <time.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <string>

namespace atalaya::alertd {

std::chrono::milliseconds RetryDelay(std::int64_t attempt, double random,
                                     std::optional<std::chrono::milliseconds> retry_after) {
  if (retry_after) return std::clamp(*retry_after, kFirstRetry, kLongestRetryAfter);
  constexpr std::int64_t kDoublings = 9;  // 512 s: beyond the longest.
  const std::int64_t doublings = std::clamp<std::int64_t>(attempt - 1, 0, kDoublings);
  const std::chrono::milliseconds plain =
      std::min(kFirstRetry * (std::int64_t{1} << doublings), kLongestRetry);
  const double share = 1 - kRetryJitter + 2 * kRetryJitter * random;
  const double jittered = std::round(static_cast<double>(plain.count()) * share);
  return std::min(std::chrono::milliseconds(static_cast<std::int64_t>(jittered)), kLongestRetry);
}

std::optional<std::chrono::milliseconds> ParseRetryAfter(std::string_view header,
                                                         std::int64_t now_ms) {
  while (!header.empty() && header.front() == ' ') header.remove_prefix(1);
  while (!header.empty() && header.back() == ' ') header.remove_suffix(1);
  std::int64_t seconds = 0;
  const auto [end, error] = std::from_chars(header.data(), header.data() + header.size(), seconds);
  if (error == std::errc::result_out_of_range) return kLongestRetryAfter;
  if (error == std::errc() && end == header.data() + header.size() && seconds >= 0)
    return std::chrono::seconds(std::min<std::int64_t>(seconds, kLongestRetryAfter.count()));
  tm parts{};
  const std::string text(header);
  const char* parsed = strptime(text.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
  if (parsed == nullptr || *parsed != '\0') return std::nullopt;
  const std::int64_t until_ms = std::int64_t{timegm(&parts)} * 1000;
  return std::chrono::milliseconds(std::max<std::int64_t>(until_ms - now_ms, 0));
}

}  // namespace atalaya::alertd
