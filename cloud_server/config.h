#pragma once

#include <string>
#include <vector>

#include "base/journal_files.h"
#include "base/log.h"
#include "base/net.h"
#include "base/result.h"
#include "cloud_server/access.h"
#include "cloud_server/admin_api.h"
#include "cloud_server/limits.h"
#include "cloud_server/listener_config.h"

namespace atalaya::cloud_server {

// The command line, as given.
struct Options {
  std::vector<std::string> listen;  // With none in the file either: 127.0.0.1:1883.
  std::string data_dir = "/var/lib/atalaya/cloud_server";
  std::string name = "cloud_server";
  std::string stats_file;   // Empty: /dev/shm/atalaya-NAME.stats.
  std::string config_file;  // Empty: every limit has its default.
  std::string durability = "disk";
  std::string log_level = "info";
  bool check_config = false;
};

// Ends the process on --help and --version. kInvalid on a bad flag.
Result<Options> ParseOptions(int argc, const char* const* argv);

// What the file says; SIGHUP reads all of it again.
struct FileConfig {
  Limits limits;
  AccessConfig access;
  AdminConfig admin;
  std::vector<ListenerConfig> listeners;
};

// kInvalid with every fault, a line each. `path` may be empty: the defaults.
Result<FileConfig> LoadFileConfig(const std::string& path);

// Options and file, checked.
struct Config {
  std::vector<ListenerConfig> listen;  // Those of the command line; the others are in `file`.
  std::string data_dir;
  std::string name;
  std::string stats_file;
  std::string config_file;
  bool keeps_on_disk = true;  // Else what clients are owed is in memory only.
  LogLevel log_level = LogLevel::kInfo;
  JournalFiles* journal_files =
      &SystemJournalFiles();  // Outlives the server; others in tests only.
  FileConfig file;
};

// Reads the file that `options` name. kInvalid with every fault, a line each; kRefused for an
// address that may not be listened on.
Result<Config> LoadConfig(const Options& options);

// All of `listen` and `file.listeners`, or kRefused, kLimit or kInvalid where they may not be.
Result<std::vector<ListenerConfig>> AllListeners(const std::vector<ListenerConfig>& listen,
                                                 const FileConfig& file);

}  // namespace atalaya::cloud_server
