#pragma once

#include <chrono>
#include <cstdint>

#include "mqtt/packet.h"

namespace atalaya::cloud_server {

inline constexpr std::uint32_t kLongestKeepAliveS = 65'535;
inline constexpr std::uint32_t kNeverExpires = 0xFFFFFFFF;  // As session expiry, in seconds.
inline constexpr std::uint16_t kNoReceiveMaximum = 65'535;  // What its absence means.

// What happens where a session's queue, or the output of its connection, is full.
enum class OverflowPolicy : std::uint8_t {
  kDropOldest,  // Of those that wait.
  kDropNewest,
  kDisconnect,  // The client, and what does not fit is dropped.
};

// Every bound that an operator may move; `[limits]` of the configuration, reloadable on SIGHUP.
// What happens at each bound, and the counter that says so, is in docs/reference/cloud_server.md.
struct Limits {
  std::uint64_t max_connections = 100'000;
  std::uint64_t max_packet_bytes = mqtt::kMaxPacketBytes;  // Fixed header included.
  std::uint64_t session_queue_packets = 100'000;           // Waiting in one session.
  std::uint64_t session_queue_bytes = 16u << 20;           // The same, in topic and payload bytes.
  OverflowPolicy overflow = OverflowPolicy::kDropOldest;
  std::uint64_t in_flight = 1000;                     // Unacknowledged to one session; 1 to 65,534.
  std::uint64_t connection_output_bytes = 8u << 20;   // Encoded and not yet taken by the kernel.
  std::uint64_t max_session_subscriptions = 100'000;  // Of one session.
  std::uint64_t max_sessions = 1'000'000;             // Connected or kept.
  std::uint64_t retained_messages = 1'000'000;
  std::uint64_t retained_bytes = 256u << 20;
  std::uint64_t receive_maximum = 20;      // QoS 1 and 2 publishes of a 5.0 client at once.
  std::uint64_t topic_alias_maximum = 10;  // Of a 5.0 client, to us.
  std::chrono::milliseconds max_keep_alive{kLongestKeepAliveS * 1000};  // 5.0 is told a shorter.
  std::chrono::milliseconds max_session_expiry{0};    // Of an absent client's session; 0: for ever.
  std::chrono::milliseconds sys_interval{10'000};     // Between $SYS publishes; 0: none.
  std::chrono::milliseconds connect_timeout{10'000};  // From accept to a whole CONNECT.
  // Of one address; 0: no limit.
  std::uint64_t address_connections = 0;
  std::uint64_t address_connect_rate = 0;  // A second, and as many at once.
  // PUBLISH packets of one client, a second, and as many at once; 0: no limit.
  std::uint64_t client_publish_rate = 0;
  std::uint64_t client_publish_bytes = 0;
  // Message bodies, queues and output together; then publishers wait, at most so long.
  std::uint64_t memory_bytes = 1u << 30;
  std::chrono::milliseconds memory_wait{2'000};

  // The same in whole seconds, as packets say them.
  std::uint32_t keep_alive_s() const {
    return static_cast<std::uint32_t>(max_keep_alive.count() / 1000);
  }
  std::uint32_t session_expiry_s() const {
    return max_session_expiry.count() == 0
               ? kNeverExpires
               : static_cast<std::uint32_t>(max_session_expiry.count() / 1000);
  }
};

}  // namespace atalaya::cloud_server
