#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "cloud_client/readings.h"

namespace atalaya::cloud_client {

// What a file or a command may say at most.
inline constexpr std::size_t kMaxOutputBytes = 64u << 10;

// Makes a reading of what a command or a file says: one number, or one flat JSON object whose
// values are numbers, strings, true, false or null; a `time` in it is kept. kInvalid says what is
// wrong.
Result<Reading> ReadOutput(const std::string& topic, std::string_view text);

// The same of a file of at most kMaxOutputBytes; errors name it.
Result<std::vector<Reading>> ReadOutputFile(const std::string& topic, const std::string& path);

}  // namespace atalaya::cloud_client
