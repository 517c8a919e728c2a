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
  std::vector<std::string> collectors;  // Names of those that are on.
  CollectorOptions collector_options;
  LogLevel log_level = LogLevel::kInfo;
};

// kInvalid, naming the flag, on a bad one. --help and --version end the process.
Result<Options> ParseOptions(int argc, const char* const* argv);

}  // namespace atalaya::exporter
