#pragma once

#include <filesystem>
#include <vector>

#include "base/result.h"
#include "cloud_client/readings.h"

namespace atalaya::cloud_client {

// One reading, "temperature", of every sensor under class/hwmon and class/thermal that gives a
// value now. kNotFound where none does.
Result<std::vector<Reading>> ReadTemperatures(const std::filesystem::path& sysfs);

}  // namespace atalaya::cloud_client
