#pragma once

#include <sys/socket.h>

#include <string>
#include <string_view>

#include "base/net.h"
#include "base/result.h"

namespace atalaya::stress {

// Where the load goes, as its URL says: mqtt, mqtts (TLS), ws (WebSocket) or wss (both).
struct Target {
  HostPort address{"127.0.0.1", 1883};
  bool tls = false;
  bool websocket = false;
  std::string path = "/mqtt";  // Of the WebSocket's request.
  std::string ca_file = "";    // Who signed the server's certificate; "": whom the system trusts.

  std::string ToString() const;  // "mqtts://127.0.0.1:8883"
};

// kInvalid where `text` is no such URL with a port.
Result<Target> ParseTarget(std::string_view text);

// A target whose name has been resolved once, so that thousands of connects need no resolver.
struct TargetAddress {
  sockaddr_storage storage{};
  socklen_t length = 0;
};

// Blocks for the resolver. kNotFound where the name has no address.
Result<TargetAddress> ResolveTarget(const HostPort& target);

}  // namespace atalaya::stress
