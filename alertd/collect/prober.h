#pragma once

#include <chrono>
#include <memory>
#include <vector>

#include "alertd/collect/collector.h"
#include "alertd/collect/probe/probe_config.h"
#include "alertd/collect/sample_queue.h"
#include "alertd/collect/target_board.h"
#include "base/clock.h"
#include "base/result.h"

namespace atalaya::alertd {

// A target is looked at within so much of becoming one, then at its own place in each interval.
inline constexpr std::chrono::milliseconds kFirstLookWithin{1'000};

// From a failed look to the next of the same round, where `retries` allows one.
inline constexpr std::chrono::milliseconds kRetryPause{200};

// Looks at targets from outside (alertd/collect/probe/), each at its own interval, many at once;
// none delays another. Of each: probe_success and probe_duration_seconds with the label `probe`,
// and what its kind measures. A change between well and not is an event that rules see at once.
//
// A round is one look, and where that fails and the target was well, up to `retries` more; the last
// one counts. A target that was down is well again after `recovery` good rounds in a row. A held
// connection that ends begins a round at once, once in an interval.
// One thread of its own, from Create to the destructor.
class Prober {
 public:
  // `board`, `queue` and `clock` outlive it. Adds a target per probe. kIo where the kernel refuses
  // a descriptor.
  static Result<std::unique_ptr<Prober>> Create(const std::vector<ProbeConfig>& probes,
                                                TargetBoard& board, SampleQueue& queue,
                                                const Clock& clock);
  ~Prober();

  // They are watched no more by this one: stops, takes them off the board, and ends their series,
  // but for those that are among `next` as they are: the next Prober goes on with these.
  void End(const std::vector<ProbeConfig>& next);
  Prober(const Prober&) = delete;
  Prober& operator=(const Prober&) = delete;

  ProbeFigures Figures() const;  // Threads: any.

 private:
  struct Impl;
  explicit Prober(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace atalaya::alertd
