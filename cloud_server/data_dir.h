#pragma once

#include <string>

#include "base/result.h"
#include "base/unique_fd.h"

namespace atalaya::cloud_server {

// Makes `path` (mode 0700; parents must be there or makeable) where it is missing and takes its
// lock file, which says whose it is, until the descriptor is closed. kBusy names the process that
// has it; kIo where it cannot be made.
Result<UniqueFd> LockDataDir(const std::string& path);

}  // namespace atalaya::cloud_server
