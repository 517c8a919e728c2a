#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "cloud_client/readings.h"

namespace atalaya::cloud_client {

struct Mount {
  std::string device;  // "8:1"
  std::string point;
};

// The file systems that lie on a disk of this machine, each once (bind mounts are left out), from
// the text of mountinfo (proc(5)). Pseudo, memory, network and FUSE file systems are none; an
// overlay counts where it is the root, as in a container.
std::vector<Mount> DiskMounts(std::string_view mountinfo);

// kNotFound where no file system can be asked.
Result<std::vector<Reading>> ReadDisks(const MachineRoots& roots);

}  // namespace atalaya::cloud_client
