#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/event_loop.h"
#include "base/result.h"
#include "base/stop_signal.h"
#include "cloud_client/agent_config.h"
#include "cloud_client/client.h"
#include "cloud_client/command_reading.h"

namespace atalaya::cloud_client {

// Takes each reading at its interval and publishes it with QoS 1 on telemetry/ID/TOPIC. On each
// connect it publishes telemetry/ID/agent, retained: version, interval_seconds,
// NAME_interval_seconds where a reading has its own, dropped_packets, refused_packets,
// queued_packets, spool_bytes and spool_damaged. Every packet carries `time`, Unix seconds. A
// reading that fails is logged once until it works again; so is a full queue or spool. Threads: one
// loop's.
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
    std::string name;
    std::chrono::milliseconds interval;
    std::function<Result<std::vector<Reading>>()> take = nullptr;  // Or:
    std::unique_ptr<CommandReading> command = nullptr;
    std::int64_t due_ns = 0;
    bool failing = false;
  };

  Agent(AgentConfig config, const Clock& clock, std::unique_ptr<EventLoop> loop);
  void OnConnection(const ConnectionEvent& event);
  void Take(std::size_t index);
  void Took(Scheduled* reading, Result<std::vector<Reading>> taken);
  void Introduce();
  bool Publish(const std::string& topic, JsonObject fields, bool timed, bool retain);
  void Dropped(const std::string& topic, const Error& why);

  const AgentConfig config_;
  const Clock& clock_;
  std::unique_ptr<EventLoop> loop_;
  std::vector<Scheduled> readings_;
  StopSignal* stop_ = nullptr;
  StopSignal::Kind ended_by_ = StopSignal::Kind::kNone;
  bool announce_ = false;
  bool lost_ = false;
  bool dropping_ = false;
  bool introduction_due_ = false;
  std::uint64_t dropped_packets_ = 0;
  std::unique_ptr<Client> client_;  // Last: its thread posts to loop_.
};

// Sends readings until a stop signal; SIGHUP loads the configuration anew, or keeps the old one and
// says why. A server that is away is no error.
Status RunAgent(const AgentOptions& options, AgentConfig config, StopSignal& stop);

}  // namespace atalaya::cloud_client
