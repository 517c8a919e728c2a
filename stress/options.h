#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/net.h"
#include "base/result.h"
#include "stress/capacity.h"
#include "stress/scenario.h"

namespace atalaya::stress {

enum class CommandWord { kRun, kCapacity, kPresets, kShow };

struct Options {
  CommandWord command = CommandWord::kRun;
  Scenario scenario;
  std::string scenario_text;  // With kShow: the file that the scenario is.
  CapacityPlan capacity;
  std::int64_t server_pid = 0;  // 0: not given.
  std::string start;            // The command that starts the server; "": it is there.
  std::string alertd;           // Whose API is asked for alerts; "": nobody's.
  std::string alertd_token_file;
  std::optional<HostPort> metrics_listen;
  std::string report;  // Where the HTML goes; "" for nowhere.
  std::string json;
  std::string csv;
  std::string baseline;  // JSON of an earlier run.
};

// Reads and validates the command line; `--help` and `--version` end the process. kInvalid names
// the flag and what would have been right; kRefused is a target that needs --i-own-this-target.
Result<Options> ParseOptions(int argc, const char* const* argv);

}  // namespace atalaya::stress
