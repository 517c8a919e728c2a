#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/net.h"
#include "base/result.h"
#include "stress/run_record.h"

namespace atalaya::stress {

struct ServerWatchOptions {
  HostPort target = {};
  std::int64_t server_pid = 0;  // 0: not given.
};

// Reads the server's CPU and memory from /proc while a run goes on. A watch without a process is
// fine: it has no figures and a note that says why. Threads: one at a time.
class ServerWatch {
 public:
  // The process that `server_pid` names (kNotFound where there is none), else the one that
  // listens on the target's port of this machine. Blocks for a scan of /proc.
  static Result<ServerWatch> Find(const ServerWatchOptions& options);

  // The process was started anew under this pid.
  void Follow(std::int64_t pid);

  // The process' CPU since the call before, and its memory now; none where it is not there.
  std::optional<ServerPoint> Sample(std::int64_t now_ns);

  const std::string& server() const { return server_; }  // "cloud_server (pid 812)", or "".
  const std::string& note() const { return note_; }

 private:
  struct Reading;
  static std::optional<Reading> Read(std::int64_t pid);
  static ServerWatch Nobody(std::string note);
  static Result<ServerWatch> Watch(std::int64_t pid);

  std::int64_t pid_ = 0;
  std::uint64_t start_ticks_ = 0;  // Tells the process from a later one with its pid.
  std::string server_;
  std::string note_;
  std::uint64_t last_cpu_ticks_ = 0;
  std::int64_t last_ns_ = 0;
};

}  // namespace atalaya::stress
