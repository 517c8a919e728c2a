#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "cloud_client/json_object.h"

namespace atalaya::cloud_client {

// Where a machine's figures are read from; tests put folders of their own here.
struct MachineRoots {
  std::filesystem::path procfs = "/proc";
  std::filesystem::path sysfs = "/sys";
  std::filesystem::path rootfs = "/";  // Mount points are looked up under it.
};

// One packet's worth: goes to telemetry/ID/`topic`.
struct Reading {
  std::string topic;
  JsonObject fields;
  bool timed = false;  // `fields` have a time already.
};

// A kind of readings, and how to take them. Take reads files only, so that it blocks no longer than
// the kernel does; no packet is a fine result (CPU has a share only from the second time on).
// Errors name the file. Threads: one at a time.
struct ReadingKind {
  std::string name;
  std::function<Result<std::vector<Reading>>()> take;
};

// All kinds, in the order of their names:
//   cpu          used_share: of all CPUs, since the last time, 0 to 1
//   disk         disk/MOUNT: mount, used_share, used_bytes, avail_bytes, size_bytes; a packet for
//                each file system on a disk of this machine; MOUNT is "rootfs" for "/"
//   load         1m, 5m, 15m
//   memory       used_share, used_bytes, total_bytes; used is what is not MemAvailable
//   temperature  celsius: of the hottest sensor; and each sensor by its name
//   uptime       seconds
// Sources: proc(5); the kernel's Documentation/hwmon/sysfs-interface and
// driver-api/thermal/sysfs-api.
std::vector<ReadingKind> MachineReadings(const MachineRoots& roots);

}  // namespace atalaya::cloud_client
