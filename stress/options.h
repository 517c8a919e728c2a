#pragma once

#include <string>

#include "base/result.h"
#include "stress/scenario.h"
#include "stress/server_watch.h"

namespace atalaya::stress {

struct Options {
  Scenario scenario;
  ServerWatchOptions server;
  std::string report;  // Where the HTML goes; "" for nowhere.
  std::string json;
};

// Reads and validates the command line; `--help` and `--version` end the process. kInvalid names
// the flag and what would have been right; kRefused is a target that needs --i-own-this-target.
Result<Options> ParseOptions(int argc, const char* const* argv);

}  // namespace atalaya::stress
