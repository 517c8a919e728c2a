#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace atalaya {

// Reads a duration as Prometheus writes them: "30s", "1h30m", "250ms", "1d", "2w", "1y"; units in
// falling order, each once; "0" alone is zero. Anything else is kInvalid: `"5x" is not a duration
// (write 30s, 5m, 2h or 1d)`. Source: the Prometheus configuration documentation, <duration>.
Result<std::chrono::milliseconds> ParseDuration(std::string_view text);

// The shortest such form: 90'000 ms is "1m30s".
std::string FormatDuration(std::chrono::milliseconds duration);

// Reads a size in bytes: "512", "64KiB", "10MB", "1.5GiB" (KB is 1000, KiB 1024). kInvalid
// otherwise.
Result<std::uint64_t> ParseSize(std::string_view text);

}  // namespace atalaya
