#include "alertd/collect/telemetry_input.h"

#include <unordered_map>
#include <unordered_set>

#include "alertd/collect/telemetry_reading.h"
#include "base/log.h"
#include "cloud_client/client.h"

namespace atalaya::alertd {

struct TelemetryInput::Impl {
  Impl(TargetBoard& with_board, SampleQueue& with_queue, const Clock& with_clock)
      : board(with_board), queue(with_queue), clock(with_clock) {}

  void OnConnection(const cloud_client::ConnectionEvent& event);
  void OnMessage(const cloud_client::Message& message, const cloud_client::Acknowledge& done);
  Status Admit(const TelemetryReading& reading);

  TargetBoard& board;
  SampleQueue& queue;
  const Clock& clock;
  std::size_t target = 0;
  std::atomic<std::uint64_t> refused{0};
  bool last_refused = false;                                                // Client's thread.
  std::unordered_map<std::string, std::unordered_set<std::string>> series;  // By client.
  std::size_t series_count = 0;
  std::unique_ptr<cloud_client::Client> client;
};

void TelemetryInput::Impl::OnConnection(const cloud_client::ConnectionEvent& event) {
  board.Looked(target, event.connected ? "" : event.error.message, clock.NowMs(),
               std::chrono::nanoseconds(0));
  board.Arrived(target);
}

// Refuses series over the limits, so that no device can fill the history with names.
Status TelemetryInput::Impl::Admit(const TelemetryReading& reading) {
  for (const telemetry::LabelledSample& sample : reading.samples) {
    const std::string client_name(sample.labels.Get("client"));
    auto& names = series[client_name];
    const std::string metric(sample.labels.Get(telemetry::kMetricName));
    if (names.contains(metric)) continue;
    if (names.size() >= kMaxSeriesPerClient || series_count >= kMaxTelemetrySeries) {
      if (names.empty()) series.erase(client_name);
      return Fail(ErrorCode::kLimit, "client {} sends more series than are kept", client_name);
    }
    names.insert(metric);
    ++series_count;
  }
  return {};
}

void TelemetryInput::Impl::OnMessage(const cloud_client::Message& message,
                                     const cloud_client::Acknowledge& done) {
  Result<TelemetryReading> reading =
      ReadTelemetryPacket(message.topic, message.payload, message.time_ms.value_or(clock.NowMs()));
  Status admitted;
  if (reading) admitted = Admit(*reading);
  if (!reading || !admitted) {
    ++refused;
    if (!last_refused)
      LogWarning("telemetry packet refused: {}",
                 reading ? admitted.error().message : reading.error().message);
    last_refused = true;
    done();
    return;
  }
  last_refused = false;
  if (reading->samples.empty() || (message.retain && !reading->timed && !message.time_ms)) {
    done();
    return;
  }
  queue.Push({std::move(reading->samples), 0, done});
}

TelemetryInput::TelemetryInput(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TelemetryInput::~TelemetryInput() = default;

std::uint64_t TelemetryInput::refused() const { return impl_->refused; }

Result<std::unique_ptr<TelemetryInput>> TelemetryInput::Create(const TelemetryConfig& config,
                                                               TargetBoard& board,
                                                               SampleQueue& queue,
                                                               const Clock& clock) {
  auto impl = std::make_unique<Impl>(board, queue, clock);
  impl->target = board.Add({.kind = TargetKind::kTelemetry,
                            .pool = "telemetry",
                            .address = config.server.ToString(),
                            .labels = {},
                            .last_error = ""});
  cloud_client::ClientOptions options;
  options.servers = {config.server};
  options.client_id = config.client_id;
  options.clean_session = false;
  cloud_client::ClientCallbacks callbacks;
  callbacks.on_connection = [impl = impl.get()](const cloud_client::ConnectionEvent& event) {
    impl->OnConnection(event);
  };
  callbacks.on_message = [impl = impl.get()](const cloud_client::Message& message,
                                             const cloud_client::Acknowledge& done) {
    impl->OnMessage(message, done);
  };
  Result<std::unique_ptr<cloud_client::Client>> client =
      cloud_client::Client::Start(std::move(options), std::move(callbacks));
  if (!client) return Forward(client.error());
  impl->client = std::move(*client);
  if (Status subscribed = impl->client->Subscribe("telemetry/#", cloud_client::Qos::kAtLeastOnce);
      !subscribed)
    return Forward(subscribed.error());
  return std::unique_ptr<TelemetryInput>(new TelemetryInput(std::move(impl)));
}

}  // namespace atalaya::alertd
