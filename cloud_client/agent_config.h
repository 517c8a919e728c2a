#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "cloud_client/command_reading.h"
#include "cloud_client/link.h"
#include "cloud_client/readings.h"

namespace atalaya::cloud_client {

inline constexpr std::chrono::milliseconds kMinReadingInterval{100};
inline constexpr std::chrono::milliseconds kMaxReadingInterval = std::chrono::hours(24);

// A command may take this long where its table names no timeout, and never longer than its
// interval.
inline constexpr std::chrono::milliseconds kDefaultCommandTimeout = std::chrono::seconds(10);

// `[[file]]`: a file whose content is a reading (see ReadOutput).
struct FileReading {
  std::string name;
  std::string path;
  std::chrono::milliseconds interval{0};
};

// `[[command]]`.
struct TimedCommand {
  CommandSpec spec;
  std::chrono::milliseconds interval{0};
};

struct AgentConfig {
  Link link;
  std::uint64_t spool_bytes = kDefaultSpoolBytes;
  std::string id;
  std::chrono::milliseconds interval{5'000};
  std::map<std::string, std::chrono::milliseconds> intervals;  // By reading, where it differs.
  std::vector<FileReading> files;
  std::vector<TimedCommand> commands;
  MachineRoots roots;
};

struct AgentOptions {
  LinkWords link;  // As flags; they override the file.
  std::string id, interval, config_file;
  MachineRoots roots;
  bool check_config = false;
};
Result<AgentOptions> ParseAgent(int argc, const char* const* argv);

// The spool is where flag or file say; without a word in a folder of the agent's id in
// $STATE_DIRECTORY (systemd's), $XDG_STATE_HOME/atalaya or ~/.local/state/atalaya; "none": there is
// none. Makes no folder. kInvalid names each fault with its place.
Result<AgentConfig> LoadAgentConfig(const AgentOptions& options);

}  // namespace atalaya::cloud_client
