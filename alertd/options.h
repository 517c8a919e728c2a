#pragma once

#include <string>
#include <vector>

#include "base/log.h"
#include "base/result.h"

namespace atalaya::alertd {

// The program's flags.
struct Options {
  std::vector<std::string> config_files;
  bool check_config = false;
  bool show_rules = false;
  LogLevel log_level = LogLevel::kInfo;
};

// kInvalid on a bad flag or without --config; ends the process on --help and --version.
Result<Options> ParseOptions(int argc, const char* const* argv);

}  // namespace atalaya::alertd
