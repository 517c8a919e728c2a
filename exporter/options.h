#pragma once

#include <string>
#include <vector>

#include "base/log.h"
#include "base/net.h"
#include "exporter/collector.h"

namespace atalaya::exporter {

struct Options {
  std::vector<HostPort> listen;
  std::string telemetry_path = "/metrics";
  bool exporter_metrics = true;         // Figures about the exporter itself.
  std::vector<std::string> collectors;  // Names of those that are on.
  CollectorOptions collector_options;
  LogLevel log_level = LogLevel::kInfo;
  bool check_config = false;  // Only say whether flags and file are right.
};

// Reads the flags and the file that --config.file names; where both set something, the flag counts.
// kInvalid, naming the flag or the place in the file, on a bad one; kNotFound or kIo where the file
// cannot be read. --help and --version end the process.
Result<Options> ParseOptions(int argc, const char* const* argv);

}  // namespace atalaya::exporter
