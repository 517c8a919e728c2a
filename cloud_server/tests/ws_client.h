#pragma once

#include <string>
#include <string_view>

#include "cloud_server/tests/test_client.h"
#include "cloud_server/ws_frame.h"

namespace atalaya::cloud_server {

// A whole frame as clients send them, masked.
std::string ClientFrame(WsOpcode opcode, std::string_view payload, bool is_final = true);

// The request that opens a WebSocket for MQTT; `further` are whole header lines.
std::string UpgradeRequest(std::string_view further = "", std::string_view protocols = "mqtt");

// A frame of the server's, taken off the front of `*bytes`; empty `opcode` where none is whole.
struct ServerFrame {
  std::optional<WsOpcode> opcode;
  std::string payload;
};
ServerFrame TakeServerFrame(std::string* bytes);

}  // namespace atalaya::cloud_server
