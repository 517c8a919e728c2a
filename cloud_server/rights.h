#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "cloud_server/access.h"

namespace atalaya::cloud_server {

// What the server knows of a session's client beyond its id, and what it decided of late about the
// topics it publishes to. An anonymous client has none while there are no `[[acl]]` rules.
struct Rights {
  struct Decision {
    std::string topic;  // "": none yet.
    Verdict verdict;
  };

  std::string user;                   // "" for an anonymous client.
  bool by_certificate = false;        // Rather than by password.
  std::uint64_t rules = 0;            // The loop's count of reloads that `decisions` belong to.
  std::array<Decision, 8> decisions;  // At the topic's hash.
};

}  // namespace atalaya::cloud_server
