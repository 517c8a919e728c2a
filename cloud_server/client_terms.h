#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "cloud_server/hash.h"
#include "mqtt/packet.h"

namespace atalaya::cloud_server {

// The topics that a client has given numbers to, for its PUBLISH packets to us (5.0, 3.3.2.3.4).
class IncomingAliases {
 public:
  explicit IncomingAliases(std::uint16_t maximum) : topics_(maximum) {}

  bool IsAllowed(std::uint32_t alias) const { return alias > 0 && alias <= topics_.size(); }
  void Set(std::uint32_t alias, std::string_view topic) { topics_[alias - 1] = topic; }
  // Empty where the client has not set it.
  std::string_view Find(std::uint32_t alias) const { return topics_[alias - 1]; }

 private:
  std::vector<std::string> topics_;
};

// The numbers that we have given to topics, for our PUBLISH packets to a client: the first topics
// get them, and keep them while the connection lasts.
class OutgoingAliases {
 public:
  explicit OutgoingAliases(std::uint16_t maximum) : maximum_(maximum) {}

  bool are_wanted() const { return maximum_ > 0; }

  struct Alias {
    std::uint16_t number = 0;  // 0: none, send the topic alone.
    bool is_known = false;     // The client has it already: leave the topic out.
  };
  Alias Find(std::string_view topic) const {
    if (const auto found = numbers_.find(topic); found != numbers_.end()) {
      return {found->second, true};
    }
    const bool has_room = numbers_.size() < maximum_;
    return {static_cast<std::uint16_t>(has_room ? numbers_.size() + 1 : 0), false};
  }
  // After a packet has left that said `topic` with the number that Find gave.
  void Remember(std::string_view topic) {
    numbers_.emplace(topic, static_cast<std::uint16_t>(numbers_.size() + 1));
  }

 private:
  struct Hasher {
    using is_transparent = void;
    std::size_t operator()(std::string_view key) const { return HashBytes(key); }
  };
  std::uint16_t maximum_;
  std::unordered_map<std::string, std::uint16_t, Hasher, std::equal_to<>> numbers_;
};

// What a 5.0 client and we have agreed on for one connection; connections of 3.1 and 3.1.1 have
// none. Threads: that of the connection.
struct ClientTerms {
  explicit ClientTerms(std::uint16_t our_aliases, std::uint16_t their_aliases)
      : incoming(our_aliases), outgoing(their_aliases) {}

  std::uint32_t max_packet_bytes = mqtt::kMaxPacketBytes;  // To the client.
  bool problem_info = true;                                // Reason strings may go with any packet.
  bool expires = false;           // CONNECT asked for a session that outlives the connection.
  std::uint32_t unacked = 0;      // QoS 1 and 2 publishes of this connection that we owe an answer.
  std::uint32_t unacked_max = 0;  // Our receive maximum.
  IncomingAliases incoming;
  OutgoingAliases outgoing;
};

}  // namespace atalaya::cloud_server
