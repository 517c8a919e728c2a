#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "base/stop_signal.h"
#include "cloud_client/client.h"
#include "cloud_client/link.h"

// The commands of the program; the agent's stand in agent_config.h and agent.h. Parse... reads
// flags and files (kInvalid: exit 2), Run... does the work and blocks until it is done (an error:
// exit 1).
namespace atalaya::cloud_client {

// The name of this machine, "localhost" where it has none.
std::string HostName();

struct PubOptions {
  Link link;
  std::string id;
  std::string topic;
  std::string to;                     // send: whom to; then `topic` follows from it.
  std::vector<std::string> messages;  // One packet each.
  bool from_stdin = false;            // Then each line of stdin is one, as it comes.
  Qos qos = Qos::kAtMostOnce;
  bool retain = false;
};
Result<PubOptions> ParsePub(int argc, const char* const* argv);
Result<PubOptions> ParseSend(int argc, const char* const* argv);

// What became of the packets.
struct PubOutcome {
  std::size_t unmatched = 0;  // Nobody subscribes, says the server; only MQTT 5 tells.
  std::size_t spooled = 0;    // Wait in the spool.
};
// Fails as soon as the server cannot be reached, or refuses; with a spool only where that fails.
Result<PubOutcome> RunPub(const PubOptions& options);

struct SubOptions {
  Link link;
  std::string id;
  std::vector<std::string> topics;
  Qos qos = Qos::kAtMostOnce;
  std::int64_t count = 0;  // 0: for ever.
  bool verbose = false;
  bool keep_session = false;
};
Result<SubOptions> ParseSub(int argc, const char* const* argv);
// Fails where the first connection or a subscription fails, or stdout; reconnects later on.
Status RunSub(const SubOptions& options, StopSignal& stop);

}  // namespace atalaya::cloud_client
