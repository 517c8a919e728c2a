#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "base/net.h"
#include "base/result.h"

// The cloud_client library: this header is all of it.

namespace atalaya::cloud_client {

// What a client keeps in memory for a server that is away or slow. Beyond it Publish is kLimit.
inline constexpr std::size_t kDefaultQueuePackets = 10'000;
inline constexpr std::size_t kDefaultQueueBytes = 16u << 20;

// A topic and its body may have this many bytes together.
inline constexpr std::size_t kMaxPublishBytes = 8u << 20;

// A longer packet from the server ends the connection.
inline constexpr std::size_t kMaxIncomingBytes = 16u << 20;

// QoS 1 publishes on their way at once; further ones wait in the queue.
inline constexpr std::size_t kMaxInFlight = 100;

// Waits between two attempts to connect grow from the first to the second, each shortened by up to
// a half at random so that a thousand clients do not come back in one instant.
inline constexpr std::chrono::milliseconds kDefaultReconnectMin{500};
inline constexpr std::chrono::milliseconds kDefaultReconnectMax{10'000};

// MQTT's quality of service. 2 is not spoken yet.
enum class Qos : std::uint8_t { kAtMostOnce = 0, kAtLeastOnce = 1 };

struct Will {
  std::string topic = {};
  std::string payload = {};
  Qos qos = Qos::kAtMostOnce;
  bool retain = false;
};

struct ClientOptions {
  HostPort server = {"127.0.0.1", 1883};
  std::string client_id = {};  // Empty: the server invents one; only with `clean_session`.
  bool clean_session = true;   // False: the server keeps subscriptions and unacknowledged packets.
  std::chrono::seconds keep_alive{30};               // 0 (off) to 65535 s.
  std::chrono::milliseconds connect_timeout{5'000};  // For connect and CONNACK together.
  std::optional<Will> will = {};
  std::chrono::milliseconds reconnect_min = kDefaultReconnectMin;
  std::chrono::milliseconds reconnect_max = kDefaultReconnectMax;
  std::size_t queue_packets = kDefaultQueuePackets;
  std::size_t queue_bytes = kDefaultQueueBytes;
};

struct ConnectionEvent {
  bool connected = false;
  bool session_present = false;           // The server had kept this client's session.
  Error error;                            // Why it is not connected: names the server's address.
  std::chrono::milliseconds retry_in{0};  // Until the next attempt.
};

struct Message {
  std::string topic = {};
  std::string payload = {};
  Qos qos = Qos::kAtMostOnce;
  bool retain = false;     // Was retained before the subscription was made.
  bool duplicate = false;  // QoS 1 only: may have come before.
};

// The right to acknowledge one message. Call it once the message is safe (stored, or not wanted):
// only then may the server forget it. Without the call the server sends it again after the next
// reconnect of a persistent session, and, as PUBACKs leave in the order of arrival (MQTT-4.6.0-2),
// those that came after it wait too. Nothing happens for QoS 0, twice, after the connection ended,
// or after the client is gone. Copies are the same right. Threads: any; never blocks.
class Acknowledge {
 public:
  Acknowledge() = default;
  void operator()() const;

 private:
  friend class Session;
  struct Target;
  explicit Acknowledge(std::shared_ptr<Target> target) : target_(std::move(target)) {}
  std::shared_ptr<Target> target_;
};

// All are called on the client's own thread, one at a time, in the order of events. They must not
// block for longer than the keep alive bears, and must not throw. Publish and Subscribe may be
// called from within them; Close and the destructor may not.
struct ClientCallbacks {
  // After each CONNACK, each lost connection and each failed attempt.
  std::function<void(const ConnectionEvent&)> on_connection;
  // Each PUBLISH received, also those of a kept session that come before any Subscribe.
  std::function<void(Message, Acknowledge)> on_message;
};

struct ClientStats {
  std::size_t queued_packets = 0;  // Publishes not yet done, those on their way included.
  std::size_t queued_bytes = 0;
  std::uint64_t published = 0;  // Done: QoS 0 handed to the kernel, QoS 1 acknowledged.
  std::uint64_t received = 0;
  std::uint64_t connects = 0;
};

// One connection to one server, MQTT 3.1.1, that stays: it reconnects by itself, subscribes again,
// and sends what waits in its queue in the order of Publish. QoS 1 publishes that were on their way
// when a connection broke are sent again (with DUP where the server kept the session). Memory only:
// what is queued is gone with the process.
//
//   Result<std::unique_ptr<Client>> client = Client::Start(options, callbacks);
//   if (!client) return Forward(client.error());
//   Status queued = (*client)->Publish({.topic = "telemetry/box/load1", .payload = "0.5"});
//
// Owns one thread, which runs everything; no event loop is asked of the caller. Signals are the
// caller's business: block them before Start (base/stop_signal.h).
// Threads: every member from any thread, save where ClientCallbacks says otherwise.
class Client {
 public:
  // Checks `options` (kInvalid names the field), starts the thread and begins to connect; does not
  // wait for it. kIo where the kernel gives no thread or descriptor.
  static Result<std::unique_ptr<Client>> Start(ClientOptions options, ClientCallbacks callbacks);

  ~Client();  // Close(0ms).
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  struct Outgoing {
    std::string topic = {};
    std::string payload = {};
    Qos qos = Qos::kAtMostOnce;
    bool retain = false;
  };
  // Fine: QoS 0 handed to the kernel, QoS 1 acknowledged. kIo: the client was closed before that.
  using PublishDone = std::function<void(Status)>;

  // Queues one packet; never blocks. kInvalid for a topic that is empty, holds a wildcard or NUL or
  // is no UTF-8; kLimit where the packet is too large or the queue is full (nothing is dropped
  // silently: the caller decides); kIo after Close. `done` is called exactly once if, and only if,
  // the packet was queued.
  Status Publish(Outgoing packet, PublishDone done = nullptr);

  // The QoS granted, after each SUBACK, thus after each reconnect too; kRefused where the server
  // said no.
  using SubscribeDone = std::function<void(Result<Qos>)>;

  // Subscribes now, if connected, and after every reconnect. The same filter again replaces the
  // earlier one. kInvalid where `filter` is malformed, kIo after Close.
  Status Subscribe(std::string filter, Qos qos, SubscribeDone done = nullptr);

  ClientStats stats() const;

  // Stops for good: waits up to `drain` for what is queued to be done, reconnecting as usual; then
  // sends DISCONNECT (no will), gives the server half a second to hang up, ends the thread and
  // fails what is left with kIo. Blocks, at worst for a name look-up more; must not be called from
  // a callback. kTimeout says how many publishes were left. Again: fine, at once.
  Status Close(std::chrono::milliseconds drain);

 private:
  struct Impl;
  explicit Client(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace atalaya::cloud_client
