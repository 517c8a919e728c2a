#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/event_loop.h"
#include "base/net.h"
#include "base/result.h"
#include "cloud_client/backoff.h"
#include "cloud_client/client.h"
#include "cloud_client/connection.h"
#include "cloud_client/mailbox.h"
#include "cloud_client/spool.h"
#include "mqtt/decode.h"

namespace atalaya::cloud_client {

// All that a Client does on its own thread: connects and reconnects, subscribes, sends what waits,
// hands over what comes, acknowledges what was handled. Threads: the loop's.
class Session {
 public:
  // `spool` is null where nothing is kept on disk.
  Session(EventLoop* loop, ClientOptions options, ClientCallbacks callbacks,
          std::shared_ptr<Mailbox> mailbox, Backoff backoff, std::unique_ptr<Spool> spool);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  void Start();
  void TakeLetters();
  void TurnEnd();
  void Subscribe(const std::string& filter, Qos qos, Client::SubscribeDone done);

  // Waits up to `drain` for the queue to be empty, says goodbye, then stops the loop.
  void BeginClose(std::chrono::milliseconds drain);

  // After the loop has ended: spools or fails every publish that is left, and returns how many were
  // not delivered.
  std::size_t FailAll();

 private:
  enum class State { kWaiting, kConnecting, kConnected, kGoodbye };
  struct Address {
    HostPort number;  // Resolved.
    HostPort server;  // As written.
  };
  struct Subscription {
    Qos qos;
    Client::SubscribeDone done;
  };
  // A message that was handed over and is not acknowledged.
  struct Incoming {
    std::uint64_t number = 0;
    std::uint16_t packet_id = 0;
    Qos qos = Qos::kAtLeastOnce;
    bool handled = false;
  };
  // A QoS 2 message that was handed over, until its PUBREL.
  struct Received {
    std::uint64_t number = 0;
    bool handled = false;
  };
  // What the server said of itself in its CONNACK.
  struct ServerLimits {
    std::size_t in_flight = kMaxInFlight;
    Qos max_qos = Qos::kExactlyOnce;
    bool retain = true;
    std::size_t packet_bytes = mqtt::kMaxPacketBytes;
  };

  // Connecting (session.cc).
  void BeginAttempt();
  void TryNextServer();
  void TryNextAddress();
  void ServerFailed(const Error& error);
  void OnServerTimeout();
  void SendConnect();
  Status OnConnack(const mqtt::Frame& frame);
  void TakeServerLimits(const mqtt::Properties& properties);
  void OnConnected(bool session_present);
  void OnClosed(const Error& error);
  void AttemptFailed(const Error& error);
  void SchedulePing();
  void OnPingTimer();
  void CancelTimers();
  void Goodbye();
  void GoodbyeIfDrained();

  // Packets that come (session_incoming.cc).
  Status OnFrame(const mqtt::Frame& frame);
  Status OnPublish(const mqtt::Frame& frame);
  void HandOver(const mqtt::Publish& publish, Acknowledge acknowledge);
  Status OnPubrel(const mqtt::Frame& frame);
  Status OnSuback(const mqtt::Frame& frame);
  Status OnDisconnect(const mqtt::Frame& frame);
  void OnHandled(std::uint64_t message);
  void SendAcks();
  void SendAck(mqtt::PacketType type, std::uint16_t packet_id,
               mqtt::Reason reason = mqtt::Reason::kSuccess);
  void SendSubscribe(const std::string& filter, Qos qos);

  // Packets that go (session_outgoing.cc).
  Status OnAck(const mqtt::Frame& frame);
  void OnPubrec(PendingPublish* publish);
  void ReleaseConfirmed();
  Status Refused(PendingPublish publish, const mqtt::Ack& ack);
  void Store(std::vector<PendingPublish> publishes);
  bool FillFromSpool();
  void ReportSpool();
  void SendWaiting();
  void Send(PendingPublish publish);
  Status Fits(const mqtt::Publish& packet) const;
  void OnWritten();
  void Finish(PendingPublish publish, Result<Client::Delivery> outcome);
  void RestoreQueue();
  std::uint16_t NewPacketId();

  EventLoop* loop_;
  const ClientOptions options_;
  const ClientCallbacks callbacks_;
  const std::shared_ptr<Mailbox> mailbox_;
  Backoff backoff_;
  const std::unique_ptr<Spool> spool_;

  State state_ = State::kWaiting;
  bool closing_ = false;
  std::size_t next_server_ = 0;        // Of options_.servers: those before it were tried.
  std::string attempt_errors_;         // Of the servers that were tried.
  std::set<std::size_t> old_servers_;  // Those that refused MQTT 5.
  std::vector<Address> addresses_;  // Of the server that is tried; those before next_address_ were.
  std::size_t next_address_ = 0;
  std::unique_ptr<Connection> connection_;
  std::unique_ptr<Connection> retired_;  // The last one: it may still be on the call stack.
  mqtt::Version version_;
  bool version_refused_ = false;  // By the server of this attempt: it is asked once more.
  std::string client_id_;         // Perhaps of the server's choice.
  bool session_present_ = false;
  ServerLimits limits_;
  std::chrono::seconds keep_alive_;
  std::int64_t connected_at_ns_ = 0;
  TimerId attempt_timer_ = 0;
  TimerId deadline_timer_ = 0;
  TimerId ping_timer_ = 0;
  bool ping_unanswered_ = false;

  std::map<std::string, Subscription> subscriptions_;
  std::map<std::uint16_t, std::string> subscribing_;  // By packet id.
  std::deque<PendingPublish> waiting_;  // With a spool: what was read from it, or could not go in.
  std::deque<PendingPublish> writing_;  // QoS 0, in the connection's buffer.
  std::deque<PendingPublish> in_flight_;  // QoS 1 and 2, not acknowledged to the end.
  std::vector<std::uint16_t> confirmed_;  // QoS 2: PUBREC came, PUBREL goes at the turn's end.
  std::uint16_t last_packet_id_ = 0;
  std::deque<Incoming> incoming_;  // QoS 1 and 2 received, to be acknowledged in this order.
  std::map<std::uint16_t, Received> received_;  // By packet id.
  // Never starts anew, so that no old number is taken for a new one.
  std::uint64_t next_incoming_ = 0;
};

}  // namespace atalaya::cloud_client
