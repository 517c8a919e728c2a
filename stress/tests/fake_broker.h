#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <thread>

#include "base/net.h"
#include "base/unique_fd.h"
#include "mqtt/decode.h"

namespace atalaya::stress {

// How a scripted broker misbehaves.
struct BrokerScript {
  std::uint8_t connack_code = 0;
  bool connack_nonsense = false;   // Answers a CONNECT with bytes that are no packet.
  bool mute_connect = false;       // Accepts and never answers.
  bool mute_ping = false;          // Never answers a PINGREQ.
  std::uint64_t drop_every = 0;    // Does not deliver each n-th message.
  std::uint64_t double_every = 0;  // Delivers each n-th message twice.
  std::uint64_t damage_every = 0;  // Flips a bit in each n-th message.
  std::uint64_t swap_every = 0;    // Holds each n-th message back until the next one of its topic.
  std::uint64_t reset_after = 0;   // Resets every connection once so many messages have come.
};

// A broker on a port of the kernel's choice, on a thread of its own, that routes PUBLISH to the one
// subscriber of its topic, as far as its script lets it.
class FakeBroker {
 public:
  explicit FakeBroker(const BrokerScript& script);
  ~FakeBroker();

  const HostPort& address() const { return address_; }

 private:
  struct Client {
    UniqueFd fd;
    std::string unread;
  };

  void Run();
  void Accept();
  bool Read(Client& client);  // False: the client is to be dropped.
  bool Answer(Client& client, const mqtt::Frame& frame);
  void Route(Client& client, const mqtt::Frame& frame);
  void ResetAll();

  BrokerScript script_;
  UniqueFd listener_;
  UniqueFd stop_;
  HostPort address_;
  std::uint64_t messages_ = 0;
  std::map<int, Client> clients_;
  std::map<std::string, int> subscribers_;
  std::map<std::string, std::string> held_;  // By topic: the packet that was held back.
  std::thread thread_;
};

}  // namespace atalaya::stress
