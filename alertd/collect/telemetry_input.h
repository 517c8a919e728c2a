#pragma once

#include <atomic>
#include <memory>

#include "alertd/collect/collect_config.h"
#include "alertd/collect/sample_queue.h"
#include "alertd/collect/target_board.h"
#include "base/clock.h"
#include "base/result.h"

namespace atalaya::alertd {

// Series that packets may make; packets with more are refused.
inline constexpr std::size_t kMaxTelemetrySeries = 50'000;
inline constexpr std::size_t kMaxSeriesPerClient = 1'000;

// The packets of devices: a persistent session subscribed to `telemetry/#`. Each packet is
// acknowledged once its samples are saved; what cannot be read is acknowledged, counted, and logged
// once until a packet of that kind is well again. Retained packets without a `time` are passed
// over: nobody knows how old they are.
class TelemetryInput {
 public:
  // `board`, `queue` and `clock` outlive it. A server that is away is no failure.
  static Result<std::unique_ptr<TelemetryInput>> Create(const TelemetryConfig& config,
                                                        TargetBoard& board, SampleQueue& queue,
                                                        const Clock& clock);
  ~TelemetryInput();
  TelemetryInput(const TelemetryInput&) = delete;
  TelemetryInput& operator=(const TelemetryInput&) = delete;

  std::uint64_t refused() const;  // Packets. Threads: any.

 private:
  struct Impl;
  explicit TelemetryInput(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace atalaya::alertd
