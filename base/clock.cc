#include "base/clock.h"

#include <fmt/format.h>
#include <time.h>

namespace atalaya {
namespace {

class RealClock final : public Clock {
 public:
  std::int64_t NowMs() const override {
    timespec now{};
    clock_gettime(CLOCK_REALTIME, &now);
    return std::int64_t{now.tv_sec} * 1000 + now.tv_nsec / kNsPerMs;
  }
  std::int64_t SteadyNs() const override {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
  }
};

}  // namespace

const Clock& SystemClock() {
  static const RealClock clock;
  return clock;
}

void FakeClock::Advance(std::chrono::nanoseconds by) {
  steady_ns_ += by.count();
  const std::int64_t total = remainder_ns_ + by.count();
  now_ms_ += total / kNsPerMs;
  remainder_ns_ = total % kNsPerMs;
}

std::string FormatRfc3339(std::int64_t utc_ms) {
  const std::int64_t millis = ((utc_ms % 1000) + 1000) % 1000;
  const time_t seconds = static_cast<time_t>((utc_ms - millis) / 1000);
  tm parts{};
  gmtime_r(&seconds, &parts);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", parts.tm_year + 1900,
                     parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
                     millis);
}

}  // namespace atalaya
