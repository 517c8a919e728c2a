#pragma once

#include <cstddef>
#include <string>

#include "base/result.h"
#include "stress/run_record.h"
#include "stress/scenario.h"

namespace atalaya::stress {

// What this machine is, and the command as it was given.
Environment DescribeEnvironment(int argc, const char* const* argv, const Scenario& scenario);

// Raises the soft limit of descriptors as far as it may go, then makes sure that the run's
// connections fit into it and into the local ports. kLimit names the number needed and what to
// raise.
Status Preflight(const Scenario& scenario, std::size_t workers);

// The threads that drive a run: one per CPU that this process may use, no more than pairs.
std::size_t WorkersFor(const Scenario& scenario);

}  // namespace atalaya::stress
