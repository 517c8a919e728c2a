#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

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

// QoS 1 and 2 publishes on their way at once, fewer where the server says so; further ones wait.
inline constexpr std::size_t kMaxInFlight = 100;

// QoS 1 and 2 packets that a server of MQTT 5 may send before they are acknowledged.
inline constexpr std::uint16_t kReceiveMaximum = 1'000;

// What a spool takes on disk, in all; at least the first.
inline constexpr std::uint64_t kMinSpoolBytes = 1u << 20;
inline constexpr std::uint64_t kDefaultSpoolBytes = 64u << 20;

// How long a server of MQTT 5 keeps the session of a client that is away.
inline constexpr std::chrono::seconds kDefaultSessionExpiry = std::chrono::hours(7 * 24);

// Waits between two attempts to connect grow from the first to the second, each shortened by up to
// a half at random so that a thousand clients do not come back in one instant.
inline constexpr std::chrono::milliseconds kDefaultReconnectMin{500};
inline constexpr std::chrono::milliseconds kDefaultReconnectMax{10'000};

// MQTT's quality of service.
enum class Qos : std::uint8_t { kAtMostOnce = 0, kAtLeastOnce = 1, kExactlyOnce = 2 };

// kNewest: MQTT 5, and 3.1.1 with a server that refuses 5 for its version.
enum class Protocol : std::uint8_t { kNewest, kMqtt5, kMqtt311 };

struct Will {
  std::string topic = {};
  std::string payload = {};
  Qos qos = Qos::kAtMostOnce;
  bool retain = false;
};

// How to speak TLS: cloud_client/tls.h makes one. Shared by any number of clients. Threads: any.
class Tls;

// A folder on disk that keeps what is published until it is delivered: over a server that is away,
// a SIGKILL and a loss of power. One client at a time uses it, always under the same client id.
// At `max_bytes` further publishes are refused (kLimit): what was taken is never dropped.
struct SpoolOptions {
  std::string directory = {};  // Made where it is not there; its parent must be.
  std::uint64_t max_bytes = kDefaultSpoolBytes;
};

struct ClientOptions {
  std::vector<HostPort> servers = {{"127.0.0.1", 1883}};  // Tried in this order, from the first.
  std::string client_id = {};  // Empty: the server invents one; only with `clean_session`.
  bool clean_session = true;   // False: the server keeps subscriptions and unacknowledged packets.
  std::chrono::seconds session_expiry = kDefaultSessionExpiry;  // Of a session that is kept.
  Protocol protocol = Protocol::kNewest;
  std::optional<std::string> username = {};
  std::optional<std::string> password = {};  // With 3.1.1 only together with `username`.
  std::shared_ptr<const Tls> tls = nullptr;  // Null: plain TCP.
  std::chrono::seconds keep_alive{30};       // 0 (off) to 65535 s; the server may shorten it.
  std::chrono::milliseconds connect_timeout{5'000};  // For connect and CONNACK, each server.
  std::optional<Will> will = {};
  std::chrono::milliseconds reconnect_min = kDefaultReconnectMin;
  std::chrono::milliseconds reconnect_max = kDefaultReconnectMax;
  std::size_t queue_packets = kDefaultQueuePackets;
  std::size_t queue_bytes = kDefaultQueueBytes;
  std::optional<SpoolOptions> spool = {};  // Needs a session that is kept.
};

struct ConnectionEvent {
  bool connected = false;
  bool session_present = false;           // The server had kept this client's session.
  HostPort server = {};                   // Which of the servers; when connected.
  Error error = {};                       // Why it is not connected: names the server's address.
  std::chrono::milliseconds retry_in{0};  // Until the next attempt.
};

struct Message {
  std::string topic = {};
  std::string payload = {};
  Qos qos = Qos::kAtMostOnce;
  bool retain = false;     // Was retained before the subscription was made.
  bool duplicate = false;  // QoS 1: may have come before. QoS 2: did so to an earlier process.
  // When it was published, UTC milliseconds, where its sender said so: see docs/PROTOCOL.md,
  // `time`.
  std::optional<std::int64_t> time_ms = {};
};

// The right to acknowledge one message. Call it once the message is safe (stored, or not wanted):
// only then may the server forget it. Without the call the server sends it again after the next
// reconnect of a persistent session, and, as acknowledgements leave in the order of arrival
// (MQTT-4.6.0-2), those that came after it wait too. Nothing happens for QoS 0, twice, for QoS 1
// after the connection ended, or after the client is gone. Copies are the same right. Threads: any;
// never blocks.
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
  // Each PUBLISH received, also those of a kept session that come before any Subscribe. QoS 2:
  // once, over reconnects of this process too.
  std::function<void(Message, Acknowledge)> on_message;
  // A packet of the spool that the server refused for good (MQTT 5): it is dropped, and counted.
  std::function<void(const std::string& topic, const Error& why)> on_refused = nullptr;
};

struct ClientStats {
  std::size_t queued_packets = 0;  // Publishes not yet done, or, with a spool, not yet delivered.
  std::size_t queued_bytes = 0;    // Those in memory.
  std::uint64_t published = 0;     // QoS 0 handed to the kernel, QoS 1 and 2 acknowledged.
  std::uint64_t refused = 0;       // By the server, for good.
  std::uint64_t received = 0;
  std::uint64_t connects = 0;
  std::uint64_t spool_bytes = 0;    // On disk now.
  std::uint64_t spool_damaged = 0;  // Places of the spool that could not be read any more.
};

// One connection to one server at a time that stays: it reconnects by itself, subscribes again, and
// sends what waits in its queue in the order of Publish. QoS 1 and 2 publishes that were on their
// way when a connection broke go on where they stood if the server kept the session; if it did not,
// those that it had not confirmed are sent anew.
//
// Without a spool what is queued is gone with the process. With one, Publish's `done` says that the
// packet is on stable storage; it is delivered by this process or a later one with the same folder
// and client id, in order, QoS 2 once as long as the server keeps the session. Each then carries
// the time of its Publish as the user property `time` (MQTT 5).
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
  // Checks `options` (kInvalid names the field), reads the spool's folder, starts the thread and
  // begins to connect; does not wait for it. kIo where the kernel gives no thread or descriptor.
  // For the spool: kBusy where another client has it, kInvalid where it belongs to another client
  // id, kVersion where a newer program wrote it, kIo.
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
  struct Delivery {
    bool matched = true;  // False: the server says that nobody subscribes (MQTT 5, QoS 1 and 2).
  };
  // Without a spool: QoS 0 handed to the kernel, QoS 1 and 2 acknowledged; kRefused names the
  // server's reason; kIo: the client was closed before that. With a spool: on stable storage; kIo
  // or kLimit where the disk had no room.
  using PublishDone = std::function<void(Result<Delivery>)>;

  // Queues one packet; never blocks. kInvalid for a topic that is empty, holds a wildcard or NUL or
  // is no UTF-8; kLimit where the packet is too large or queue or spool are full (nothing is
  // dropped silently: the caller decides); kIo after Close. `done` is called exactly once if, and
  // only if, the packet was queued.
  Status Publish(Outgoing packet, PublishDone done = nullptr);

  // The QoS granted, after each SUBACK, thus after each reconnect too; kRefused where the server
  // said no.
  using SubscribeDone = std::function<void(Result<Qos>)>;

  // Subscribes now, if connected, and after every reconnect. The same filter again replaces the
  // earlier one. kInvalid where `filter` is malformed, kIo after Close.
  Status Subscribe(std::string filter, Qos qos, SubscribeDone done = nullptr);

  ClientStats stats() const;

  // Stops for good: waits up to `drain` for what is queued to be delivered, reconnecting as usual;
  // then sends DISCONNECT (no will), gives the server half a second to hang up, ends the thread and
  // fails what is left with kIo, or leaves it in the spool. Blocks, at worst for a name look-up
  // more; must not be called from a callback. kTimeout says how many publishes were left. Again:
  // fine, at once.
  Status Close(std::chrono::milliseconds drain);

 private:
  struct Impl;
  explicit Client(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace atalaya::cloud_client
