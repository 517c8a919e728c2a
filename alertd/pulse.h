#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/config.h"

namespace atalaya::alertd {

// [heartbeat]: an address outside that is asked again and again, and raises the alarm when it is
// not (a dead man's switch, such as Healthchecks or another cloud_alertd's own).
//
//   url = "https://watch.example.org/ping/abc"
//   interval = "1m"      # 1s to 24h
struct HeartbeatConfig {
  std::string url;
  std::chrono::milliseconds interval{60'000};
};

HeartbeatConfig ReadHeartbeat(ConfigTable table);

struct PulseFigures {
  std::uint64_t heartbeats_sent = 0;    // Answered with 2xx.
  std::uint64_t heartbeats_failed = 0;  // Otherwise, or not at all.
};

struct PulseOptions {
  std::optional<HeartbeatConfig> heartbeat;
  std::string notify_socket;                        // systemd's NOTIFY_SOCKET; "": there is none.
  std::chrono::milliseconds watchdog{0};            // WATCHDOG_USEC; 0: systemd does not watch.
  std::function<std::int64_t()> evaluated_ms;       // When the rules were last evaluated.
  std::chrono::milliseconds longest_evaluation{0};  // Beyond it without one, the program is stuck.
  const Clock* clock = &SystemClock();
};

// NOTIFY_SOCKET and WATCHDOG_USEC of the environment. Source: sd_watchdog_enabled(3).
void ReadWatchdogEnvironment(PulseOptions& options);

// Tells those who watch the watcher that it lives, as long as it does its work: as long as its
// rules are evaluated. systemd by its watchdog at half its time, the heartbeat's address by GET (10
// s at most, redirects not followed). A change between answered and not is logged. One thread of
// its own, from the constructor to the destructor, which may take as long as a request. Source:
// sd_notify(3).
class Pulse {
 public:
  explicit Pulse(PulseOptions options);
  ~Pulse();
  Pulse(const Pulse&) = delete;
  Pulse& operator=(const Pulse&) = delete;

  PulseFigures Figures() const;  // Threads: any.

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace atalaya::alertd
