#pragma once

#include "base/unique_fd.h"

namespace atalaya {

// SIGTERM, SIGINT and SIGHUP as a readable descriptor. Install before the first thread, so that
// every thread inherits the mask. SIGPIPE is ignored.
class StopSignal {
 public:
  enum class Kind { kNone, kStop, kReload };

  static StopSignal Install();

  int fd() const { return fd_.get(); }  // Readable when Take has something; for an EventLoop.
  Kind Take();  // Never blocks. SIGTERM and SIGINT are kStop, SIGHUP is kReload.
  Kind Wait();  // Blocks until there is one.

 private:
  explicit StopSignal(UniqueFd fd) : fd_(std::move(fd)) {}
  UniqueFd fd_;
};

}  // namespace atalaya
