#include "cloud_client/agent.h"

#include <sys/epoll.h>

#include <cstdio>
#include <utility>

#include "base/log.h"
#include "base/version.h"

namespace atalaya::cloud_client {
namespace {

// What is still queued at a stop may take this long to go; the next start takes new readings
// anyway.
constexpr std::chrono::milliseconds kStopDrain{1000};

double Seconds(std::chrono::milliseconds duration) {
  return static_cast<double>(duration.count()) / 1000;
}

}  // namespace

Agent::Agent(AgentConfig config, const Clock& clock, std::unique_ptr<EventLoop> loop)
    : config_(std::move(config)), clock_(clock), loop_(std::move(loop)) {
  for (ReadingKind& kind : MachineReadings(config_.roots)) {
    const auto own = config_.intervals.find(kind.name);
    const auto interval = own == config_.intervals.end() ? config_.interval : own->second;
    readings_.push_back({.kind = std::move(kind), .interval = interval});
  }
}

Agent::~Agent() = default;

Result<std::unique_ptr<Agent>> Agent::Create(const AgentConfig& config, const Clock& clock) {
  Result<std::unique_ptr<EventLoop>> loop = EventLoop::Create();
  if (!loop) return Forward(loop.error());
  std::unique_ptr<Agent> agent(new Agent(config, clock, std::move(*loop)));
  ClientOptions options;
  options.servers = {config.server};
  options.client_id = config.id;
  ClientCallbacks callbacks;
  callbacks.on_connection = [raw = agent.get()](const ConnectionEvent& event) {
    raw->loop_->Post([raw, event] { raw->OnConnection(event); });
  };
  Result<std::unique_ptr<Client>> client = Client::Start(std::move(options), std::move(callbacks));
  if (!client) return Forward(client.error());
  agent->client_ = std::move(*client);
  return agent;
}

Result<StopSignal::Kind> Agent::Run(StopSignal& stop, bool announce) {
  stop_ = &stop;
  announce_ = announce;
  if (Status added = loop_->Add(stop.fd(), EPOLLIN, this); !added) return Forward(added.error());
  for (std::size_t i = 0; i < readings_.size(); ++i) {
    readings_[i].due_ns = clock_.SteadyNs();
    Take(i);
  }
  loop_->Run();
  loop_->Remove(stop.fd(), this);
  if (Status closed = client_->Close(kStopDrain); !closed) {
    LogWarning("{}: {}", config_.server.ToString(), closed.error().message);
  }
  return ended_by_;
}

void Agent::OnIo(std::uint32_t) {
  ended_by_ = stop_->Take();
  if (ended_by_ != StopSignal::Kind::kNone) loop_->Stop();
}

void Agent::OnConnection(const ConnectionEvent& event) {
  if (!event.connected) {
    if (!lost_) LogWarning("{}; readings wait in memory", event.error.message);
    lost_ = true;
    return;
  }
  if (lost_) LogInfo("connected to {}", config_.server.ToString());
  lost_ = false;
  introduction_due_ = true;
  Introduce();
  if (std::exchange(announce_, false)) {
    std::printf("ready cloud_client agent server=mqtt://%s id=%s\n",
                config_.server.ToString().c_str(), config_.id.c_str());
    std::fflush(stdout);
  }
}

// A queue that is still full after a long absence may have no room for it: then with a later
// reading.
void Agent::Introduce() {
  JsonObject fields;
  fields.Add("version", std::string_view(kVersion));
  fields.Add("interval_seconds", Seconds(config_.interval));
  for (const auto& [name, interval] : config_.intervals) {
    fields.Add(name + "_interval_seconds", Seconds(interval));
  }
  fields.Add("dropped_packets", dropped_packets_);
  introduction_due_ = !Publish("agent", std::move(fields), /*retain=*/true);
}

void Agent::Take(std::size_t index) {
  if (introduction_due_) Introduce();
  Scheduled& reading = readings_[index];
  Result<std::vector<Reading>> taken = reading.kind.take();
  if (!taken && !reading.failing) {
    LogWarning("{}: {}; the other readings go on", reading.kind.name, taken.error().message);
  }
  if (taken && reading.failing) LogInfo("{}: readings are there again", reading.kind.name);
  reading.failing = !taken;
  if (taken) {
    for (Reading& packet : *taken) {
      if (!Publish(packet.topic, std::move(packet.fields), /*retain=*/false)) ++dropped_packets_;
    }
  }
  // A fixed rhythm; what a suspended machine missed is left out.
  const std::int64_t interval_ns = std::chrono::nanoseconds(reading.interval).count();
  const std::int64_t late_ns = clock_.SteadyNs() - reading.due_ns;
  reading.due_ns += interval_ns * (1 + late_ns / interval_ns);
  loop_->RunAfter(std::chrono::nanoseconds(reading.due_ns - clock_.SteadyNs()),
                  [this, index] { Take(index); });
}

bool Agent::Publish(const std::string& topic, JsonObject fields, bool retain) {
  fields.Add("time", static_cast<double>(clock_.NowMs()) / 1000);
  const Status queued =
      client_->Publish({.topic = fmt::format("telemetry/{}/{}", config_.id, topic),
                        .payload = fields.Text(),
                        .qos = Qos::kAtLeastOnce,
                        .retain = retain});
  if (!queued && !queue_full_) {
    LogWarning("{}: {}; new readings are dropped", topic, queued.error().message);
  }
  queue_full_ = !queued;
  return queued.has_value();
}

Status RunAgent(const AgentOptions& options, AgentConfig config, StopSignal& stop) {
  for (bool first = true;; first = false) {
    Result<std::unique_ptr<Agent>> agent = Agent::Create(config, SystemClock());
    if (!agent) return Forward(agent.error());
    const Result<StopSignal::Kind> ended = (*agent)->Run(stop, first);
    if (!ended) return Forward(ended.error());
    if (*ended == StopSignal::Kind::kStop) return {};
    Result<AgentConfig> reloaded = LoadAgentConfig(options);
    if (reloaded) {
      config = std::move(*reloaded);
      LogInfo("configuration loaded anew");
    } else {
      LogError("configuration kept: {}", reloaded.error().message);
    }
  }
}

}  // namespace atalaya::cloud_client
