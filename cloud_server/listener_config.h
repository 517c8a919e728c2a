#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/config.h"
#include "base/net.h"
#include "base/result.h"
#include "base/tls.h"
#include "cloud_server/access.h"
#include "cloud_server/ws_upgrade.h"

namespace atalaya::cloud_server {

inline constexpr std::size_t kMaxListeners = 16;

enum class Protocol : std::uint8_t { kMqtt, kMqtts, kWs, kWss };

std::string_view ProtocolName(Protocol protocol);  // "mqtt", "mqtts", "ws", "wss".
constexpr bool HasTls(Protocol protocol) {
  return protocol == Protocol::kMqtts || protocol == Protocol::kWss;
}
constexpr bool HasWebSocket(Protocol protocol) {
  return protocol == Protocol::kWs || protocol == Protocol::kWss;
}

// Where clients may come in, and how.
struct ListenerConfig {
  HostPort address = {};
  Protocol protocol = Protocol::kMqtt;
  TlsServerOptions tls = {};  // Of mqtts and wss.
  OriginRule origins = {};    // Of ws and wss.
  bool allow_remote = false;  // The address may be another than a loopback one.
  std::string place = {};     // "cloud_server.toml:3:1" or "--listen": begins messages.
};

// Reads every [[listener]]; faults are noted in the file.
std::vector<ListenerConfig> ReadListeners(ConfigTable root);

// What keeps `listener` from being opened where others can reach it: access.h, with its place.
Status CheckListener(const ListenerConfig& listener, const AccessConfig& access);

}  // namespace atalaya::cloud_server
