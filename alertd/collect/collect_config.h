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

using LabelMap = std::map<std::string, std::string>;

// One [[scrape]]: pages of metrics that are fetched over HTTP.
//
//   job = "node"
//   targets = ["127.0.0.1:9100"]        # each becomes `instance`; https:// in front where needed
//   path = "/metrics"
//   interval = "5s"
//   timeout = "4s"                      # at most the interval; default: the interval, at most 10s
//   process = "cloud_server"            # whose planned stops do not count as down
//   labels = { room = "cellar" }
struct ScrapeConfig {
  std::string job;
  std::vector<std::string> targets;
  std::string path = "/metrics";
  std::chrono::milliseconds interval{5'000};
  std::chrono::milliseconds timeout{5'000};
  LabelMap labels;  // `process` among them where it was given.

  friend bool operator==(const ScrapeConfig&, const ScrapeConfig&) = default;
};

enum class ProbeKind { kTcp, kMqtt };

// One [[probe]]: whether a server lets clients in.
//
//   name = "mqtt"
//   kind = "mqtt"                       # or "tcp": connecting is enough
//   target = "127.0.0.1:1883"
//   interval, timeout, process, labels as in [[scrape]]
struct ProbeConfig {
  std::string name;
  ProbeKind kind = ProbeKind::kTcp;
  HostPort target;
  std::chrono::milliseconds interval{5'000};
  std::chrono::milliseconds timeout{2'000};
  LabelMap labels;

  friend bool operator==(const ProbeConfig&, const ProbeConfig&) = default;
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
struct TelemetryConfig {
  HostPort server;
  std::string client_id = "cloud_alertd";

  friend bool operator==(const TelemetryConfig&, const TelemetryConfig&) = default;
};

// They read one table each; faults are noted in it and come out of ConfigFile::Finish.
ScrapeConfig ReadScrape(ConfigTable& table);
ProbeConfig ReadProbe(ConfigTable& table);
ProcessConfig ReadProcess(ConfigTable& table);
TelemetryConfig ReadTelemetry(ConfigTable& table);

}  // namespace atalaya::alertd
