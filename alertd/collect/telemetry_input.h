#pragma once

#include <memory>
#include <string>
#include <vector>

#include "alertd/collect/collect_config.h"
#include "alertd/collect/sample_queue.h"
#include "alertd/collect/target_board.h"
#include "base/clock.h"
#include "base/result.h"

namespace atalaya::alertd {

inline constexpr std::size_t kMaxTelemetrySeries = 50'000;  // Of all clients together.
inline constexpr std::size_t kMaxTelemetryClients = 20'000;

// How often cloud_client_up is written; and so long after a connection a client of which the server
// has said nothing counts as away.
inline constexpr std::chrono::seconds kPresenceRefresh{15};

// A client that was away, or silent, for so long is forgotten.
inline constexpr std::chrono::hours kClientForgotten{24};

// The packets of devices: a persistent session subscribed to `telemetry/#` and `presence/+`. Each
// telemetry packet is acknowledged once its samples are on stable storage; what cannot be read or
// is over a limit is acknowledged, counted, and logged once for each client. Retained packets
// without a `time` are passed over: nobody knows how old they are.
//
// Of each client that sends telemetry under its own name cloud_client_up{client} says whether it is
// connected; a change is an event that rules see at once. While there is no connection to the
// server nobody knows: the series end with stale markers.
class TelemetryInput {
 public:
  // `board`, `queue` and `clock` outlive it. A server that is away is no failure. `known_clients`:
  // CollectorOptions.
  static Result<std::unique_ptr<TelemetryInput>> Create(
      const TelemetryConfig& config, const std::vector<std::string>& known_clients,
      TargetBoard& board, SampleQueue& queue, const Clock& clock);
  ~TelemetryInput();
  TelemetryInput(const TelemetryInput&) = delete;
  TelemetryInput& operator=(const TelemetryInput&) = delete;

  // It is listened to no more: stops, takes it off the board, and ends what it knew of presence.
  void End();

  TelemetryFigures Figures() const;  // Threads: any.

 private:
  struct Impl;
  explicit TelemetryInput(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace atalaya::alertd
