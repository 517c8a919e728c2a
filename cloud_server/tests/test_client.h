#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "base/net.h"
#include "base/unique_fd.h"
#include "mqtt/decode.h"
#include "mqtt/encode.h"

namespace atalaya::cloud_server {

// A blocking MQTT client over a raw socket, for tests. Every wait has a deadline; what goes wrong
// is a failed EXPECT and an empty result.
class TestClient {
 public:
  static constexpr std::chrono::seconds kDeadline{20};

  explicit TestClient(const HostPort& server);

  void Send(std::string_view bytes);
  // Everything of one packet; valid until the next call. nullopt once the server has closed.
  std::optional<mqtt::Frame> Receive();
  bool WaitClosed();  // Reads on until the server closes.

  // CONNECT and its CONNACK; returns its code, or -1 where none came.
  int Connect(mqtt::Connect packet);
  int Connect(std::string_view client_id, bool clean = true);
  bool session_present() const { return session_present_; }

  // SUBSCRIBE and its SUBACK; returns the granted code.
  int Subscribe(std::string_view filter, mqtt::Qos qos = mqtt::Qos::k0);
  void Publish(std::string_view topic, std::string_view payload, mqtt::Qos qos = mqtt::Qos::k0,
               bool retain = false);  // Waits for a PUBACK at QoS 1.
  // The next PUBLISH, as "topic=payload", and acknowledged where its QoS is 1; "closed" at the end.
  std::string NextMessage();
  std::optional<mqtt::Publish> NextPublish();  // Not acknowledged. Valid until the next receive.
  void Puback(std::uint16_t packet_id);
  void Ping();  // PINGREQ and PINGRESP: what was sent before has been processed.

  int fd() const { return fd_.get(); }

 private:
  bool Fill();

  UniqueFd fd_;
  std::string buffer_;
  std::size_t used_ = 0;  // Of the packet handed out last.
  bool session_present_ = false;
  std::uint16_t next_id_ = 1;
};

}  // namespace atalaya::cloud_server
