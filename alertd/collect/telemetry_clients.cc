#include "alertd/collect/telemetry_clients.h"

#include <utility>

#include "alertd/collect/telemetry_input.h"

namespace atalaya::alertd {
namespace {

std::shared_ptr<telemetry::Series> SeriesOf(const std::string& client, std::string_view metric) {
  return telemetry::NamedSeries(telemetry::Labels({{"client", client}}), metric);
}

}  // namespace

TelemetryClients::TelemetryClients(std::size_t series_per_client,
                                   const std::vector<std::string>& known_clients,
                                   std::int64_t now_ms)
    : series_per_client_(series_per_client) {
  for (const std::string& name : known_clients) {
    Client* client = FindOrAdd(name, now_ms);
    if (client == nullptr) return;
    client->up = SeriesOf(name, "cloud_client_up");
    client->stands = true;
    client->had_presence = true;
  }
}

TelemetryClients::Client* TelemetryClients::FindOrAdd(const std::string& name,
                                                      std::int64_t now_ms) {
  const auto known = clients_.find(name);
  if (known != clients_.end()) return &known->second;
  if (clients_.size() >= kMaxTelemetryClients) return nullptr;
  Client& client = clients_[name];
  client.heard_ms = now_ms;
  return &client;
}

Status TelemetryClients::Take(const TelemetryReading& reading, std::int64_t now_ms,
                              SampleBatch& batch) {
  Client* client = FindOrAdd(reading.client, now_ms);
  if (client == nullptr)
    return Fail(ErrorCode::kLimit, "more than {} clients", kMaxTelemetryClients);
  std::size_t fresh = 0;
  for (const auto& value : reading.values) fresh += client->series.contains(value.metric) ? 0 : 1;
  if (client->series.size() + fresh > series_per_client_)
    return Fail(ErrorCode::kLimit, "client {} sends more series than series_per_client = {}",
                reading.client, series_per_client_);
  if (series_count_ + fresh > kMaxTelemetrySeries)
    return Fail(ErrorCode::kLimit, "more than {} series of all clients", kMaxTelemetrySeries);
  for (const auto& [metric, sample] : reading.values) {
    std::shared_ptr<telemetry::Series>& series = client->series[metric];
    if (series == nullptr) {
      series = SeriesOf(reading.client, metric);
      ++series_count_;
    }
    batch.samples.push_back({series, sample});
  }
  client->heard_ms = now_ms;
  WriteArrival(reading.client, *client, now_ms, batch);
  if (client->up == nullptr) {
    client->up = SeriesOf(reading.client, "cloud_client_up");
    WriteUp(*client, now_ms, batch);
  }
  return {};
}

bool TelemetryClients::SetPresence(const std::string& name, bool online, std::int64_t now_ms,
                                   SampleBatch& batch) {
  if (!online && !clients_.contains(name)) return false;
  Client* client = FindOrAdd(name, now_ms);
  if (client == nullptr) return false;
  const bool changed = client->online != online;
  client->online = online;
  client->had_presence = true;
  client->heard_ms = now_ms;
  if (client->up == nullptr) {
    if (!online && !client->complained) clients_.erase(name);
    return false;
  }
  WriteUp(*client, now_ms, batch);
  return changed;
}

void TelemetryClients::LosePresence(std::int64_t now_ms, SampleBatch& batch) {
  for (auto& [name, client] : clients_) {
    EndUp(client, now_ms, batch);
    client.online.reset();
  }
}

void TelemetryClients::Refresh(bool all_told, std::int64_t now_ms, SampleBatch& batch) {
  const std::int64_t forgotten_ms = now_ms - std::chrono::milliseconds(kClientForgotten).count();
  for (auto at = clients_.begin(); at != clients_.end();) {
    Client& client = at->second;
    if (client.online == true) client.heard_ms = now_ms;
    const bool visitor = client.up == nullptr && client.online != true && !client.complained;
    if (client.heard_ms >= forgotten_ms && !visitor) {
      if (all_told && client.had_presence && !client.online) client.online = false;
      WriteUp(client, now_ms, batch);
      ++at;
      continue;
    }
    EndUp(client, now_ms, batch);
    series_count_ -= client.series.size();
    at = clients_.erase(at);
  }
}

void TelemetryClients::WriteArrival(const std::string& name, Client& client, std::int64_t now_ms,
                                    SampleBatch& batch) {
  if (client.arrival == nullptr) {
    client.arrival = SeriesOf(name, "cloud_client_last_arrival_timestamp_seconds");
  } else if (now_ms - client.arrival_ms < std::chrono::milliseconds(kArrivalEvery).count() &&
             now_ms >= client.arrival_ms) {
    return;
  }
  client.arrival_ms = now_ms;
  batch.samples.push_back({client.arrival, {now_ms, static_cast<double>(now_ms) / 1000}});
}

void TelemetryClients::WriteUp(Client& client, std::int64_t now_ms, SampleBatch& batch) {
  if (client.up == nullptr || !client.online) return;
  batch.samples.push_back({client.up, {now_ms, *client.online ? 1.0 : 0.0}});
  client.stands = true;
}

void TelemetryClients::EndUp(Client& client, std::int64_t now_ms, SampleBatch& batch) {
  if (std::exchange(client.stands, false))
    batch.samples.push_back({client.up, {now_ms, telemetry::StaleMarker()}});
}

bool TelemetryClients::MayComplain(const std::string& name, std::int64_t now_ms) {
  Client* client = FindOrAdd(name, now_ms);
  return client != nullptr && !std::exchange(client->complained, true);
}

}  // namespace atalaya::alertd
