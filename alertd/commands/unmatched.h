#pragma once

#include <string>

#include "alertd/config.h"

namespace atalaya::alertd {

// What --check-config says of selectors that match no series of the last day, as the cloud_alertd
// knows them that runs at [http] listen: a line each, `rules/host.toml:3:1: warning: "DiskLow": no
// series matches node_disk`, or one that nobody was there to ask. Left out is what rules record
// themselves, and rules that look for what is missing. Blocks.
std::string DescribeUnmatched(const Config& config);

}  // namespace atalaya::alertd
