#pragma once

#include <memory>
#include <vector>

#include "alertd/collect/collect_config.h"
#include "alertd/collect/sample_queue.h"
#include "alertd/collect/target_board.h"
#include "base/clock.h"
#include "base/result.h"

namespace atalaya::alertd {

inline constexpr std::size_t kProbeReplyBytes = 1'024;  // A longer answer to a CONNECT is a fault.

// Knocks at servers: TCP (the connection is taken), or MQTT (CONNECT is answered by a CONNACK that
// lets in). Each probe has its own interval and timeout, and none delays another, save that a host
// name is resolved on the thread that all share. Yields probe_success and probe_duration_seconds
// with the label `probe`; a change between well and not is an event that rules see at once.
// One thread of its own, from Create to the destructor.
class Prober {
 public:
  // `board`, `queue` and `clock` outlive it. Adds a target per probe.
  static Result<std::unique_ptr<Prober>> Create(const std::vector<ProbeConfig>& probes,
                                                TargetBoard& board, SampleQueue& queue,
                                                const Clock& clock);
  ~Prober();

  // They are watched no more: stops, takes them off the board, and ends their series.
  void End();
  Prober(const Prober&) = delete;
  Prober& operator=(const Prober&) = delete;

 private:
  struct Impl;
  explicit Prober(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace atalaya::alertd
