#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace atalaya::cloud_server {

// A request head that is longer is answered with 431.
inline constexpr std::size_t kUpgradeHeadBytes = 8u << 10;

// Which web pages may open a WebSocket, by the Origin that browsers send (a client that is no
// browser sends none, or what it likes).
struct OriginRule {
  // As browsers write them, "https://dash.example.org"; "*" lets every page in. Empty: only pages
  // of the same host as the request's own, and that only where it is an address or "localhost", so
  // that a name of somebody else's that leads here opens nothing.
  std::vector<std::string> allowed = {};
};

struct Upgrade {
  std::size_t head_bytes = 0;  // Of the request, through its empty line; 0: not whole yet.
  bool accepted = false;
  std::string reply;  // What to send: "101 Switching Protocols", or why not.
};

// Answers the HTTP request that opens a WebSocket (RFC 6455, section 4.2). It must offer the
// subprotocol "mqtt" (MQTT-6.0.0-3), or "mqttv3.1" as clients of 3.1 do; "mqtt" is preferred. Any
// path will do. `received`: all that has come so far.
Upgrade AnswerUpgrade(std::string_view received, const OriginRule& origins);

}  // namespace atalaya::cloud_server
