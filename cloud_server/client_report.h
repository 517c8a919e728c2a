#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "mqtt/packet.h"

namespace atalaya::cloud_server {

inline constexpr std::size_t kMaxListedClients = 1000;        // On one page.
inline constexpr std::size_t kMaxListedSubscriptions = 1000;  // Of one client.

// Which clients an operator asks for: those with a session that all that is given fits.
struct ClientQuery {
  std::string prefix;             // Of the client id.
  std::string after;              // Only client ids behind this one; "" for the first page.
  std::optional<bool> connected;  // Or away.
  std::optional<std::string> user;
  std::optional<mqtt::Version> protocol;  // Of the connection; none has one that is away.
  std::size_t limit = 100;                // 1 to kMaxListedClients.
};

// One client's session as it stands, for an operator.
struct ClientReport {
  std::string id;
  std::string user;  // "" for an anonymous one.
  bool connected = false;
  std::int64_t since_ms = 0;  // UTC: of the connection, or of its end.
  std::string reason;         // Why it is connected or away, as presence says it.
  std::uint32_t expiry_s = 0;
  std::size_t subscriptions = 0;
  std::size_t queue_packets = 0;
  std::size_t queue_bytes = 0;
  std::size_t in_flight = 0;  // Sent and not acknowledged.

  // Of the connection, where there is one.
  std::string address;
  mqtt::Version protocol = mqtt::Version::k311;
  std::uint32_t keep_alive_s = 0;
  std::uint64_t received_bytes = 0;  // As the kernel counts them: with TLS, encrypted.
  std::uint64_t sent_bytes = 0;      // Those that the client has acknowledged.

  // Only of a client that is inspected; at most kMaxListedSubscriptions.
  std::vector<std::pair<std::string, mqtt::Qos>> filters;
};

}  // namespace atalaya::cloud_server
