#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/config.h"
#include "base/net.h"

namespace atalaya::alertd {

inline constexpr std::size_t kMaxTargets = 10'000;  // Of all [[scrape]] and [[probe]] together.
inline constexpr std::chrono::milliseconds kMinInterval{100};
inline constexpr std::chrono::milliseconds kMaxInterval{24 * 3'600'000};

using LabelMap = std::map<std::string, std::string>;

// What one scrape may bring; more is a failed scrape.
struct ScrapeLimits {
  std::size_t samples = 50'000;
  std::size_t body_bytes = 16u << 20;  // Unpacked.
  std::size_t labels = 64;             // Of one series, the metric name and the target's with it.
  std::size_t label_name_bytes = 1'024;
  std::size_t label_value_bytes = 16'384;

  friend bool operator==(const ScrapeLimits&, const ScrapeLimits&) = default;
};

// One [[scrape]]: pages of metrics that are fetched over HTTP.
//
//   job = "node"
//   targets = ["127.0.0.1:9100"]        # each becomes `instance`; https:// in front where needed
//   files = ["targets/*.json"]          # further targets: alertd/collect/target_files.h
//   scheme = "http"; path = "/metrics"; params = { module = "icmp" }
//   interval = "5s"
//   timeout = "4s"                      # at most the interval; default: the interval, at most 10s
//   username, password_file; or bearer_token_file
//   ca_file = "ca.pem"
//   honor_labels = false; honor_timestamps = true
//   sample_limit, body_size_limit, label_limit, label_name_length_limit, label_value_length_limit
//   process = "cloud_server"            # whose planned stops do not count as down
//   labels = { room = "cellar" }
struct ScrapeConfig {
  std::string job;
  std::vector<std::string> targets;
  std::vector<std::string> files;  // Wildcards in the last part only.
  std::string scheme = "http";
  std::string path = "/metrics";
  LabelMap params;  // Of the URL, not yet encoded.
  std::chrono::milliseconds interval{5'000};
  std::chrono::milliseconds timeout{5'000};
  std::string username, password;  // Basic auth where `username` is not empty.
  std::string bearer_token;        // "": none.
  std::string ca_file;             // "" takes the system's.
  bool honor_labels = false;       // The page's labels win over the target's.
  bool honor_timestamps = true;
  ScrapeLimits limits;
  LabelMap labels;  // `process` among them where it was given.

  friend bool operator==(const ScrapeConfig&, const ScrapeConfig&) = default;
};

// One [[process]]: a process of this machine, watched through its pidfd.
//
//   name = "cloud_server"
//   stats_file = "/dev/shm/atalaya-cloud_server.stats"   # or pid_file = "/run/x.pid"
//   labels = { .. }
struct ProcessConfig {
  std::string name;
  std::string stats_file;  // Exactly one of the two is set.
  std::string pid_file;
  LabelMap labels;

  friend bool operator==(const ProcessConfig&, const ProcessConfig&) = default;
};

// [telemetry]: the packets of devices and agents, `telemetry/#`.
//
//   server = "127.0.0.1:1883"
//   client_id = "cloud_alertd"
//   username = "alertd"; password_file = "packet.password"
//   series_per_client = 1000
struct TelemetryConfig {
  HostPort server;
  std::string client_id = "cloud_alertd";
  std::string username, password;  // None where `username` is empty.
  std::size_t series_per_client = 1'000;

  friend bool operator==(const TelemetryConfig&, const TelemetryConfig&) = default;
};

// They read one table each; faults are noted in it and come out of ConfigFile::Finish.
ScrapeConfig ReadScrape(ConfigTable& table);
ProcessConfig ReadProcess(ConfigTable& table);
TelemetryConfig ReadTelemetry(ConfigTable& table);

// A table of labels, of which none may have a name of `own`, those that alertd sets.
LabelMap ReadLabels(ConfigTable& table, std::string_view key, const std::vector<std::string>& own);

// Keys that several tables have.
void ReadTimes(ConfigTable& table, std::chrono::milliseconds& interval,
               std::chrono::milliseconds& timeout);              // Their values are the defaults.
HostPort ReadAddress(ConfigTable& table, std::string_view key);  // HOST:PORT, both there.
void ReadProcessLabel(ConfigTable& table, LabelMap& labels);
struct Authorization {
  std::string *username, *password, *bearer_token, *ca_file;
};
void ReadAuthorization(ConfigTable& table, const Authorization& into);

}  // namespace atalaya::alertd
