#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/unique_fd.h"
#include "mqtt/packet.h"

namespace atalaya::bench {

enum class Protocol { kMqtt, kNats };

inline constexpr std::size_t kConnackBytes = 4;
inline constexpr int kSilenceMs = 10'000;  // The longest a server may take where an answer is due.

// The measured server, on this machine's loopback.
struct Target {
  Protocol protocol = Protocol::kMqtt;
  std::uint16_t port = 0;
  pid_t pid = 0;
};

// One packet as the protocol writes it. In NATS a topic's '/' stands as '.', and there is QoS 0
// only.
std::string PublishBytes(Protocol protocol, std::string_view topic, std::string_view payload,
                         mqtt::Qos qos = mqtt::Qos::k0, std::uint16_t packet_id = 0);
std::string ConnectBytes(Protocol protocol, std::string_view client_id, bool clean = true);
std::string SubscribeBytes(Protocol protocol, const std::vector<std::string>& filters,
                           mqtt::Qos qos = mqtt::Qos::k0);

// How a publish with `payload_bytes` comes to a subscriber: always with the same number of bytes.
struct DeliveryLayout {
  std::size_t bytes = 0;
  std::size_t payload_at = 0;  // The payload's first byte; in MQTT the packet id stands before it.
};
DeliveryLayout LayoutOf(Protocol protocol, std::string_view topic, std::size_t payload_bytes,
                        mqtt::Qos qos = mqtt::Qos::k0);

// A connection to the target. Every failure, and an end of the stream, ends the meter. Blocking
// until SetNonBlocking. Threads: one.
class Client {
 public:
  // Connects and waits until the server has accepted it.
  Client(const Target& target, std::string_view client_id, bool clean = true);

  void Subscribe(const std::vector<std::string>& filters, mqtt::Qos qos = mqtt::Qos::k0);

  void SetNonBlocking();
  void Write(std::string_view bytes);               // All of it; blocking sockets only.
  std::size_t WriteSome(std::string_view bytes);    // What the kernel takes.
  std::size_t Read(char* into, std::size_t bytes);  // 0: nothing is there (non-blocking).
  void ReadExactly(char* into, std::size_t bytes);

  int fd() const { return fd_.get(); }

 private:
  void AwaitPong();  // NATS: everything sent before has been seen.

  Protocol protocol_;
  UniqueFd fd_;
};

// After the last Subscribe and before the first measured publish: waits until what servers do
// shortly after a connect is over (a PING of NATS after 2 s), and throws away what came.
void Settle(const Target& target, const std::vector<Client*>& clients);

}  // namespace atalaya::bench
