#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/event_loop.h"
#include "base/result.h"
#include "base/stop_signal.h"
#include "cloud_client/client.h"
#include "cloud_client/commands.h"

namespace atalaya::cloud_client {

// Takes each reading at its interval and publishes it with QoS 1 on telemetry/ID/TOPIC. On each
// connect it publishes telemetry/ID/agent, retained: version, interval_seconds,
// NAME_interval_seconds where a reading has its own, and dropped_packets. Every packet carries
// `time`, Unix seconds. A reading that fails is logged once until it works again; so is a full
// queue. Threads: one loop's.
class Agent : public IoHandler {
 public:
  static Result<std::unique_ptr<Agent>> Create(const AgentConfig& config, const Clock& clock);
  ~Agent() override;
  Agent(const Agent&) = delete;
  Agent& operator=(const Agent&) = delete;

  // Blocks until a signal comes, and returns it. `announce`: print the ready line once connected.
  Result<StopSignal::Kind> Run(StopSignal& stop, bool announce);

  void OnIo(std::uint32_t epoll_events) override;

 private:
  struct Scheduled {
    ReadingKind kind;
    std::chrono::milliseconds interval;
    std::int64_t due_ns = 0;
    bool failing = false;
  };

  Agent(AgentConfig config, const Clock& clock, std::unique_ptr<EventLoop> loop);
  void OnConnection(const ConnectionEvent& event);
  void Take(std::size_t index);
  void Introduce();
  bool Publish(const std::string& topic, JsonObject fields, bool retain);

  const AgentConfig config_;
  const Clock& clock_;
  std::unique_ptr<EventLoop> loop_;
  std::vector<Scheduled> readings_;
  StopSignal* stop_ = nullptr;
  StopSignal::Kind ended_by_ = StopSignal::Kind::kNone;
  bool announce_ = false;
  bool lost_ = false;
  bool queue_full_ = false;
  bool introduction_due_ = false;
  std::uint64_t dropped_packets_ = 0;
  std::unique_ptr<Client> client_;  // Last: its thread posts to loop_.
};

}  // namespace atalaya::cloud_client
