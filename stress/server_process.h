#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/net.h"
#include "base/result.h"
#include "base/unique_fd.h"

namespace atalaya::stress {

// The server's process, for faults: one that was started here, or one of the same user that is
// named by its pid. It can be killed, started again as it was, and halted. Threads: one at a time.
class ServerProcess {
 public:
  // Runs `command` in a shell and waits until it listens on `target`'s port. kTimeout where it does
  // not. It ends with this.
  static Result<std::unique_ptr<ServerProcess>> Start(const std::string& command,
                                                      const HostPort& target);
  // kRefused for another user's process, kNotFound where there is none. What is started in its
  // place lives on.
  static Result<std::unique_ptr<ServerProcess>> Adopt(std::int64_t pid);
  ~ServerProcess();
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;

  std::int64_t pid() const { return pid_; }

  Status Kill();     // SIGKILL; returns once it is dead.
  Status Restart();  // With the same command, folder and environment; does not wait for it.
  Status Halt();     // SIGSTOP.
  Status GoOn();     // SIGCONT.

 private:
  ServerProcess() = default;
  Status Signal(int number);
  Status Spawn();
  void AwaitEnd(int milliseconds);

  pid_t pid_ = 0;
  UniqueFd handle_;  // A pidfd: never signals a later process with the same pid.
  bool ours_ = false;
  std::vector<std::string> arguments_, environment_;
  std::string folder_, program_;
};

}  // namespace atalaya::stress
