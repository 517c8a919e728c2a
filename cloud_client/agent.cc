#include "cloud_client/agent.h"

#include <sys/epoll.h>

#include <cstdio>
#include <filesystem>
#include <utility>

#include "base/log.h"
#include "base/version.h"
#include "cloud_client/output_reading.h"

namespace atalaya::cloud_client {
namespace {

// What is still queued at a stop may take this long to go; the next start takes new readings
// anyway, and what is spooled waits for it.
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
    readings_.push_back({.name = kind.name, .interval = interval, .take = std::move(kind.take)});
  }
  for (const FileReading& file : config_.files) {
    readings_.push_back({.name = file.name, .interval = file.interval, .take = [file] {
                           return ReadOutputFile(file.name, file.path);
                         }});
  }
  for (const TimedCommand& command : config_.commands) {
    readings_.push_back({.name = command.spec.name,
                         .interval = command.interval,
                         .command = std::make_unique<CommandReading>(loop_.get(), command.spec)});
  }
}

Agent::~Agent() = default;

Result<std::unique_ptr<Agent>> Agent::Create(const AgentConfig& config, const Clock& clock) {
  Result<std::unique_ptr<EventLoop>> loop = EventLoop::Create();
  if (!loop) return Forward(loop.error());
  std::unique_ptr<Agent> agent(new Agent(config, clock, std::move(*loop)));
  ClientOptions options;
  options.client_id = config.id;
  if (Status applied = config.link.Apply(&options); !applied) return Forward(applied.error());
  if (options.spool) {
    options.spool->max_bytes = config.spool_bytes;
    // A parent that cannot be made is told by the spool, which cannot be opened then.
    std::error_code ignored;
    std::filesystem::create_directories(
        std::filesystem::path(options.spool->directory).parent_path(), ignored);
  }
  ClientCallbacks callbacks;
  callbacks.on_connection = [raw = agent.get()](const ConnectionEvent& event) {
    raw->loop_->Post([raw, event] { raw->OnConnection(event); });
  };
  callbacks.on_refused = [](const std::string&, const Error& why) {
    LogWarning("{}; it is dropped", why.message);
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
    LogWarning("{}: {}", config_.link.ToString(), closed.error().message);
  }
  return ended_by_;
}

void Agent::OnIo(std::uint32_t) {
  ended_by_ = stop_->Take();
  if (ended_by_ != StopSignal::Kind::kNone) loop_->Stop();
}

void Agent::OnConnection(const ConnectionEvent& event) {
  if (!event.connected) {
    if (!lost_) {
      LogWarning("{}; readings wait in {}", event.error.message,
                 config_.link.spool.empty() ? "memory" : config_.link.spool);
    }
    lost_ = true;
    return;
  }
  if (lost_) LogInfo("connected to {}", event.server.ToString());
  lost_ = false;
  introduction_due_ = true;
  Introduce();
  if (std::exchange(announce_, false)) {
    std::printf("ready cloud_client agent server=%s id=%s\n", config_.link.ToString().c_str(),
                config_.id.c_str());
    std::fflush(stdout);
  }
}

// A queue that is still full after a long absence may have no room for it: then with a later
// reading.
void Agent::Introduce() {
  const ClientStats stats = client_->stats();
  JsonObject fields;
  fields.Add("version", std::string_view(kVersion));
  fields.Add("interval_seconds", Seconds(config_.interval));
  for (const Scheduled& reading : readings_) {
    if (reading.interval == config_.interval) continue;
    fields.Add(reading.name + "_interval_seconds", Seconds(reading.interval));
  }
  fields.Add("dropped_packets", dropped_packets_);
  fields.Add("refused_packets", stats.refused);
  fields.Add("queued_packets", std::uint64_t{stats.queued_packets});
  fields.Add("spool_bytes", stats.spool_bytes);
  fields.Add("spool_damaged", stats.spool_damaged);
  introduction_due_ = !Publish("agent", std::move(fields), /*timed=*/false, /*retain=*/true);
}

void Agent::Take(std::size_t index) {
  if (introduction_due_) Introduce();
  Scheduled& reading = readings_[index];
  if (reading.take) {
    Took(&reading, reading.take());
  } else if (!reading.command->running()) {
    reading.command->Start([this, raw = &reading](Result<Reading> result) {
      if (!result) return Took(raw, Forward(result.error()));
      std::vector<Reading> taken;
      taken.push_back(std::move(*result));
      Took(raw, std::move(taken));
    });
  }
  // A fixed rhythm; what a suspended machine missed is left out.
  const std::int64_t interval_ns = std::chrono::nanoseconds(reading.interval).count();
  const std::int64_t late_ns = clock_.SteadyNs() - reading.due_ns;
  reading.due_ns += interval_ns * (1 + late_ns / interval_ns);
  loop_->RunAfter(std::chrono::nanoseconds(reading.due_ns - clock_.SteadyNs()),
                  [this, index] { Take(index); });
}

void Agent::Took(Scheduled* reading, Result<std::vector<Reading>> taken) {
  if (!taken && !reading->failing) {
    LogWarning("{}: {}; the other readings go on", reading->name, taken.error().message);
  }
  if (taken && reading->failing) LogInfo("{}: readings are there again", reading->name);
  reading->failing = !taken;
  if (!taken) return;
  for (Reading& packet : *taken) {
    Publish(packet.topic, std::move(packet.fields), packet.timed, /*retain=*/false);
  }
}

bool Agent::Publish(const std::string& topic, JsonObject fields, bool timed, bool retain) {
  if (!timed) fields.Add("time", static_cast<double>(clock_.NowMs()) / 1000);
  const auto done = [this, topic](const Result<Client::Delivery>& outcome) {
    if (outcome || outcome.error().code == ErrorCode::kRefused) return;
    // At the end, from Close, nobody posts any more.
    loop_->Post([this, topic, error = outcome.error()] { Dropped(topic, error); });
  };
  const Status queued =
      client_->Publish({.topic = fmt::format("telemetry/{}/{}", config_.id, topic),
                        .payload = fields.Text(),
                        .qos = Qos::kAtLeastOnce,
                        .retain = retain},
                       done);
  if (queued) {
    dropping_ = false;
  } else {
    Dropped(topic, queued.error());
  }
  return queued.has_value();
}

void Agent::Dropped(const std::string& topic, const Error& why) {
  ++dropped_packets_;
  if (!dropping_) LogWarning("{}: {}; new readings are dropped", topic, why.message);
  dropping_ = true;
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
