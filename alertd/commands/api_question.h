#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/result.h"

namespace atalaya::alertd {

// A running cloud_alertd, or anything with Prometheus's HTTP API.
struct ApiServer {
  std::string url = "http://127.0.0.1:9480";
  std::string token;  // "": none.
};

// Asks by POST, leaving out fields without a value; returns the whole answer as JSON text, which
// was a success and has `data`. Fails as HttpClient does, kInvalid with the server's words where it
// refuses. Blocks.
Result<std::string> AskApi(const ApiServer& server, const std::string& path,
                           const std::vector<std::pair<std::string, std::string>>& fields);

}  // namespace atalaya::alertd
