#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/net.h"
#include "base/result.h"
#include "base/stop_signal.h"
#include "cloud_client/client.h"
#include "cloud_client/readings.h"

// The commands of the program. Parse... reads flags and files (kInvalid: exit 2), Run... does the
// work and blocks until it is done (an error: exit 1).
namespace atalaya::cloud_client {

// "mqtt://HOST[:PORT]", the form of --server; without a port 1883.
Result<HostPort> ParseServer(std::string_view text);

struct PubOptions {
  HostPort server;
  std::string id;
  std::string topic;
  std::vector<std::string> messages;  // One packet each.
  bool from_stdin = false;            // Then each line of stdin is one, as it comes.
  Qos qos = Qos::kAtMostOnce;
  bool retain = false;
};
Result<PubOptions> ParsePub(int argc, const char* const* argv);
Status RunPub(const PubOptions& options);  // Fails as soon as the server cannot be reached.

struct SubOptions {
  HostPort server;
  std::string id;
  std::vector<std::string> topics;
  Qos qos = Qos::kAtMostOnce;
  std::int64_t count = 0;  // 0: for ever.
  bool verbose = false;
};
Result<SubOptions> ParseSub(int argc, const char* const* argv);
// Fails where the first connection or a subscription fails, or stdout; reconnects later on.
Status RunSub(const SubOptions& options, StopSignal& stop);

inline constexpr std::chrono::milliseconds kMinReadingInterval{100};
inline constexpr std::chrono::milliseconds kMaxReadingInterval = std::chrono::hours(24);

struct AgentConfig {
  HostPort server;
  std::string id;
  std::chrono::milliseconds interval{5'000};
  std::map<std::string, std::chrono::milliseconds> intervals;  // By reading, where it differs.
  MachineRoots roots;
};
struct AgentOptions {
  std::string server, id, interval, config_file;  // As flags; they override the file.
  MachineRoots roots;
  bool check_config = false;
};
Result<AgentOptions> ParseAgent(int argc, const char* const* argv);
Result<AgentConfig> LoadAgentConfig(const AgentOptions& options);
// Sends readings until a stop signal; SIGHUP loads the configuration anew, or keeps the old one and
// says why. A server that is away is no error.
Status RunAgent(const AgentOptions& options, AgentConfig config, StopSignal& stop);

}  // namespace atalaya::cloud_client
