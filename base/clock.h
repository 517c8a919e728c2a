#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace atalaya {

inline constexpr std::int64_t kNsPerMs = 1'000'000;

// Where time comes from. Stored times are UTC milliseconds; deadlines and latencies use the steady
// clock. Threads: any.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual std::int64_t NowMs() const = 0;     // UTC, milliseconds since 1970; may step.
  virtual std::int64_t SteadyNs() const = 0;  // Nanoseconds of CLOCK_MONOTONIC; never steps.
};

// The machine's own clocks. One instance, never destroyed.
const Clock& SystemClock();

// A clock that stands still until a test moves it. Threads: one at a time.
class FakeClock : public Clock {
 public:
  explicit FakeClock(std::int64_t start_ms = 1'700'000'000'000) : now_ms_(start_ms) {}
  std::int64_t NowMs() const override { return now_ms_; }
  std::int64_t SteadyNs() const override { return steady_ns_; }
  void Advance(std::chrono::nanoseconds by);
  void StepWallClock(std::chrono::milliseconds by) { now_ms_ += by.count(); }

 private:
  std::int64_t now_ms_;
  std::int64_t steady_ns_ = 0;
  std::int64_t remainder_ns_ = 0;
};

// "2026-11-21T00:36:06.123Z".
std::string FormatRfc3339(std::int64_t utc_ms);

}  // namespace atalaya
