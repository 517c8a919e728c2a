#include "alertd/collect/telemetry_input.h"

#include <mutex>
#include <nlohmann/json.hpp>

#include "alertd/collect/loop_thread.h"
#include "alertd/collect/telemetry_clients.h"
#include "base/log.h"
#include "cloud_client/client.h"

namespace atalaya::alertd {
namespace {

constexpr std::string_view kPresence = "presence/";

// The `status` of docs/PROTOCOL.md; nothing where it is none.
std::optional<bool> ReadPresence(std::string_view payload) {
  const nlohmann::json object = nlohmann::json::parse(payload, nullptr, false);
  if (!object.is_object()) return std::nullopt;
  const auto status = object.find("status");
  if (status == object.end() || !status->is_string()) return std::nullopt;
  return *status == "online";
}

}  // namespace

struct TelemetryInput::Impl {
  Impl(const TelemetryConfig& with_config, const std::vector<std::string>& known_clients,
       TargetBoard& with_board, SampleQueue& with_queue, const Clock& with_clock,
       std::unique_ptr<EventLoop> loop)
      : config(with_config),
        board(with_board),
        queue(with_queue),
        clock(with_clock),
        clients(config.series_per_client, known_clients, clock.NowMs()),
        thread(std::move(loop)) {}

  Status Connect();
  void OnConnection(const cloud_client::ConnectionEvent& event);
  void OnMessage(const cloud_client::Message& message, const cloud_client::Acknowledge& done);
  void OnPresence(const cloud_client::Message& message);
  void OnTelemetry(const cloud_client::Message& message, const cloud_client::Acknowledge& done);
  void Refuse(const cloud_client::Message& message, const Error& why, std::uint64_t& counter);
  void Refresh();

  const TelemetryConfig config;
  TargetBoard& board;
  SampleQueue& queue;
  const Clock& clock;
  TargetBoard::Id target = 0;

  mutable std::mutex mutex;  // Guards what follows.
  TelemetryClients clients;
  TelemetryFigures figures;
  bool said_refused = false;
  std::optional<std::int64_t> connected_ns;  // Steady clock; nothing: there is no connection.

  LoopThread thread;
  std::unique_ptr<cloud_client::Client> client;
};

void TelemetryInput::Impl::OnConnection(const cloud_client::ConnectionEvent& event) {
  const std::int64_t now_ms = clock.NowMs();
  board.Looked(target, event.connected ? "" : event.error.message, now_ms,
               std::chrono::nanoseconds(0));
  board.Arrived(target);
  SampleBatch batch;
  const std::lock_guard lock(mutex);
  connected_ns.reset();
  if (event.connected) {
    connected_ns = clock.SteadyNs();
  } else {
    clients.LosePresence(now_ms, batch);
  }
  if (!batch.samples.empty()) queue.Push(std::move(batch));
}

void TelemetryInput::Impl::OnMessage(const cloud_client::Message& message,
                                     const cloud_client::Acknowledge& done) {
  const std::lock_guard lock(mutex);
  if (!message.topic.starts_with(kPresence)) return OnTelemetry(message, done);
  OnPresence(message);
  done();
}

void TelemetryInput::Impl::OnPresence(const cloud_client::Message& message) {
  const std::optional<bool> online = ReadPresence(message.payload);
  const std::string name = ClientOfTopic(message.topic);
  if (!online || name.empty()) return;
  SampleBatch batch;
  if (clients.SetPresence(name, *online, clock.NowMs(), batch)) batch.event_ns = clock.SteadyNs();
  if (!batch.samples.empty()) queue.Push(std::move(batch));
}

void TelemetryInput::Impl::OnTelemetry(const cloud_client::Message& message,
                                       const cloud_client::Acknowledge& done) {
  ++figures.packets;
  const std::int64_t now_ms = clock.NowMs();
  const Result<TelemetryReading> reading =
      ReadTelemetryPacket(message.topic, message.payload, message.time_ms.value_or(now_ms));
  SampleBatch batch;
  const bool dated = !message.retain || message.time_ms || (reading && reading->timed);
  if (!reading) {
    Refuse(message, reading.error(), figures.unreadable);
  } else if (dated) {
    if (Status taken = clients.Take(*reading, now_ms, batch); !taken)
      Refuse(message, taken.error(), figures.over_limit);
  }
  if (batch.samples.empty()) return done();
  batch.durable = done;
  queue.Push(std::move(batch));
}

void TelemetryInput::Impl::Refuse(const cloud_client::Message& message, const Error& why,
                                  std::uint64_t& counter) {
  ++counter;
  const std::string name = ClientOfTopic(message.topic);
  const bool say =
      name.empty() ? !std::exchange(said_refused, true) : clients.MayComplain(name, clock.NowMs());
  if (say)
    LogWarning("telemetry of {} refused, which is said once: {}", name.empty() ? "nobody" : name,
               why.message);
}

void TelemetryInput::Impl::Refresh() {
  SampleBatch batch;
  {
    const std::lock_guard lock(mutex);
    const std::int64_t told_ns = std::chrono::nanoseconds(kPresenceRefresh).count();
    const bool all_told = connected_ns && clock.SteadyNs() - *connected_ns >= told_ns;
    clients.Refresh(all_told, clock.NowMs(), batch);
  }
  if (!batch.samples.empty()) queue.Push(std::move(batch));
  thread.loop().RunAfter(kPresenceRefresh, [this] { Refresh(); });
}

Status TelemetryInput::Impl::Connect() {
  cloud_client::ClientOptions options;
  options.servers = {config.server};
  options.client_id = config.client_id;
  options.clean_session = false;
  if (!config.username.empty()) {
    options.username = config.username;
    options.password = config.password;
  }
  cloud_client::ClientCallbacks callbacks;
  callbacks.on_connection = [this](const cloud_client::ConnectionEvent& event) {
    OnConnection(event);
  };
  callbacks.on_message = [this](const cloud_client::Message& message,
                                const cloud_client::Acknowledge& done) {
    OnMessage(message, done);
  };
  Result<std::unique_ptr<cloud_client::Client>> started =
      cloud_client::Client::Start(std::move(options), std::move(callbacks));
  if (!started) return Forward(started.error());
  client = std::move(*started);
  for (const char* filter : {"presence/+", "telemetry/#"}) {
    Status subscribed = client->Subscribe(filter, cloud_client::Qos::kAtLeastOnce);
    if (!subscribed) return subscribed;
  }
  return {};
}

TelemetryInput::TelemetryInput(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

TelemetryInput::~TelemetryInput() {
  impl_->client.reset();
  impl_->thread.Stop();
}

void TelemetryInput::End() {
  impl_->client.reset();
  impl_->thread.Stop();
  impl_->board.Remove(impl_->target);
  SampleBatch batch;
  impl_->clients.LosePresence(impl_->clock.NowMs(), batch);
  impl_->queue.Push(std::move(batch));
}

TelemetryFigures TelemetryInput::Figures() const {
  const std::lock_guard lock(impl_->mutex);
  TelemetryFigures figures = impl_->figures;
  figures.clients = impl_->clients.clients();
  figures.series = impl_->clients.series();
  return figures;
}

Result<std::unique_ptr<TelemetryInput>> TelemetryInput::Create(
    const TelemetryConfig& config, const std::vector<std::string>& known_clients,
    TargetBoard& board, SampleQueue& queue, const Clock& clock) {
  Result<std::unique_ptr<EventLoop>> loop = EventLoop::Create();
  if (!loop) return Forward(loop.error());
  auto impl = std::make_unique<Impl>(config, known_clients, board, queue, clock, std::move(*loop));
  impl->target = board.Add({.kind = TargetKind::kTelemetry,
                            .pool = "telemetry",
                            .address = config.server.ToString(),
                            .labels = {},
                            .last_error = ""});
  impl->thread.loop().RunAfter(kPresenceRefresh, [impl = impl.get()] { impl->Refresh(); });
  if (Status connected = impl->Connect(); !connected) return Forward(connected.error());
  impl->thread.Start();
  return std::unique_ptr<TelemetryInput>(new TelemetryInput(std::move(impl)));
}

}  // namespace atalaya::alertd
