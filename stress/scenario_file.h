#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "stress/scenario.h"

namespace atalaya::stress {

// Reads a scenario as TOML; the keys are in docs/reference/cloud_stress.md. kInvalid names every
// fault with its place, kNotFound or kIo a file that cannot be read.
Result<Scenario> LoadScenario(const std::string& path);
Result<Scenario> ParseScenario(std::string_view text, const std::string& name);

}  // namespace atalaya::stress
