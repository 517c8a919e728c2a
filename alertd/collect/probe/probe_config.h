#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "alertd/collect/collect_config.h"
#include "base/config.h"
#include "base/net.h"

namespace atalaya::alertd {

inline constexpr std::int64_t kMaxRetries = 10;
inline constexpr std::int64_t kMaxRecovery = 100;

enum class ProbeKind { kHttp, kTcp, kIcmp, kMqtt, kFile, kCommand };

struct ProbeTls {
  bool on = false;
  std::string ca_file;      // "" takes the system's.
  std::string server_name;  // Whose certificate it must be; "": the target's host.

  friend bool operator==(const ProbeTls&, const ProbeTls&) = default;
};

struct HttpProbeConfig {
  std::string method = "GET";
  LabelMap headers;
  std::string body;
  std::vector<std::string> status{"2xx"};  // Each three characters, digits or "x".
  std::string expect, reject;              // Of the body, RE2; "": anything.
  LabelMap expect_headers;                 // Name in lower case, to RE2.
  bool follow_redirects = true;
  std::string username, password, bearer_token;

  friend bool operator==(const HttpProbeConfig&, const HttpProbeConfig&) = default;
};

struct MqttProbeConfig {
  std::string username, password;  // None where `username` is empty.
  bool round_trip = false;
  std::string topic;  // Of the round trip.

  friend bool operator==(const MqttProbeConfig&, const MqttProbeConfig&) = default;
};

struct FileProbeConfig {
  std::string path;                      // Wildcards: the newest that matches.
  std::chrono::milliseconds max_age{0};  // 0: any.
  std::uint64_t min_size = 0;

  friend bool operator==(const FileProbeConfig&, const FileProbeConfig&) = default;
};

// One [[probe]]: something that is looked at from outside.
//
//   name = "shop"
//   kind = "http"                       # or tcp (the default), tls, icmp, mqtt, file, command
//   target = "https://shop.example/"    # HOST:PORT for tcp, tls and mqtt, HOST for icmp
//   interval, timeout, process, labels as in [[scrape]]
//   retries = 0                         # looks again after a failed one, before it counts
//   recovery = 1                        # good ones in a row before it is well again
//
// The keys of each kind: docs/reference/cloud_alertd.md.
struct ProbeConfig {
  std::string name;
  ProbeKind kind = ProbeKind::kTcp;
  std::string target;  // As people are shown it: an URL, an address, a path, a program.
  HostPort address;    // Of tcp, mqtt and icmp (there without a port).
  std::chrono::milliseconds interval{5'000};
  std::chrono::milliseconds timeout{2'000};
  int retries = 0;
  int recovery = 1;
  bool hold = false;         // tcp, mqtt: keep the connection until the next look.
  ProbeTls tls;              // tcp, mqtt, http.
  std::string send, expect;  // tcp; `expect` is RE2.
  HttpProbeConfig http;
  MqttProbeConfig mqtt;
  FileProbeConfig file;
  std::vector<std::string> command;
  LabelMap labels;

  friend bool operator==(const ProbeConfig&, const ProbeConfig&) = default;
};

// Reads one table; faults are noted in it and come out of ConfigFile::Finish.
ProbeConfig ReadProbe(ConfigTable& table);

}  // namespace atalaya::alertd
