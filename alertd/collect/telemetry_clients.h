#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "alertd/collect/collector.h"
#include "alertd/collect/sample_queue.h"
#include "alertd/collect/telemetry_reading.h"

namespace atalaya::alertd {

// A heartbeat is as exact as this.
inline constexpr std::chrono::seconds kArrivalEvery{1};

// What is known of the clients of the packet server that send telemetry: their series, and whether
// they are connected. Threads: one at a time.
class TelemetryClients {
 public:
  TelemetryClients(std::size_t series_per_client, const std::vector<std::string>& known_clients,
                   std::int64_t now_ms);

  // Turns a reading into samples; cloud_client_last_arrival_timestamp_seconds is one of them, once
  // in kArrivalEvery. kLimit where that would be a client or a series too many.
  Status Take(const TelemetryReading& reading, std::int64_t now_ms, SampleBatch& batch);

  // What the server said of a client. True where rules should see it at once.
  bool SetPresence(const std::string& client, bool online, std::int64_t now_ms, SampleBatch& batch);

  // The connection to the server is gone: nobody knows any more.
  void LosePresence(std::int64_t now_ms, SampleBatch& batch);

  // Writes cloud_client_up of all again, forgets those that were away or silent for
  // kClientForgotten. `all_told`: the server has had time to speak of every client it knows.
  void Refresh(bool all_told, std::int64_t now_ms, SampleBatch& batch);

  // True the first time for each client: what is wrong with its packets is said once.
  bool MayComplain(const std::string& client, std::int64_t now_ms);

  std::size_t clients() const { return clients_.size(); }
  std::size_t series() const { return series_count_; }

 private:
  struct Client {
    std::unordered_map<std::string, std::shared_ptr<telemetry::Series>> series;  // By metric.
    std::shared_ptr<telemetry::Series> up;  // Once it has sent telemetry.
    std::shared_ptr<telemetry::Series> arrival;
    std::int64_t arrival_ms = 0;  // When `arrival` was written.
    bool stands = false;          // `up` may have a value that has not ended.
    std::optional<bool> online;   // Nothing: the server has not said.
    bool had_presence = false;    // The server spoke of it once.
    bool complained = false;
    std::int64_t heard_ms = 0;
  };

  Client* FindOrAdd(const std::string& name, std::int64_t now_ms);
  static void WriteArrival(const std::string& name, Client& client, std::int64_t now_ms,
                           SampleBatch& batch);
  static void WriteUp(Client& client, std::int64_t now_ms, SampleBatch& batch);
  static void EndUp(Client& client, std::int64_t now_ms, SampleBatch& batch);

  const std::size_t series_per_client_;
  std::unordered_map<std::string, Client> clients_;
  std::size_t series_count_ = 0;
};

}  // namespace atalaya::alertd
