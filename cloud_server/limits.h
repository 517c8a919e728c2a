#pragma once

#include <chrono>
#include <cstdint>

namespace atalaya::cloud_server {

// Every bound that an operator may move; `[limits]` of the configuration, reloadable on SIGHUP.
// What happens at each bound, and the counter that says so, is in docs/reference/cloud_server.md.
struct Limits {
  std::uint64_t max_connections = 100'000;
  std::uint64_t max_packet_bytes = 16u << 20;         // Fixed header included.
  std::uint64_t session_queue_packets = 100'000;      // Waiting in one session.
  std::uint64_t session_queue_bytes = 16u << 20;      // The same, in topic and payload bytes.
  std::uint64_t in_flight = 1000;                     // Unacknowledged to one session; 1 to 65,534.
  std::uint64_t connection_output_bytes = 8u << 20;   // Encoded and not yet taken by the kernel.
  std::uint64_t max_session_subscriptions = 100'000;  // Of one session.
  std::uint64_t max_sessions = 1'000'000;             // Connected or kept.
  std::uint64_t retained_messages = 1'000'000;
  std::uint64_t retained_bytes = 256u << 20;
  std::chrono::milliseconds connect_timeout{10'000};  // From accept to a whole CONNECT.
};

}  // namespace atalaya::cloud_server
