#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/event_loop.h"
#include "base/net.h"
#include "base/result.h"
#include "cloud_client/backoff.h"
#include "cloud_client/client.h"
#include "cloud_client/connection.h"
#include "cloud_client/mailbox.h"
#include "mqtt/decode.h"

namespace atalaya::cloud_client {

// All that a Client does on its own thread: connects and reconnects, subscribes, sends what waits,
// hands over what comes, acknowledges what was handled. Threads: the loop's.
class Session {
 public:
  Session(EventLoop* loop, ClientOptions options, ClientCallbacks callbacks,
          std::shared_ptr<Mailbox> mailbox, Backoff backoff);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  void Start();
  void TakeLetters();
  void TurnEnd();
  void Subscribe(const std::string& filter, Qos qos, Client::SubscribeDone done);

  // Waits up to `drain` for the queue to be empty, says goodbye, then stops the loop.
  void BeginClose(std::chrono::milliseconds drain);

  // After the loop has ended: fails every publish that is left, and returns how many there were.
  std::size_t FailAll();

 private:
  enum class State { kWaiting, kConnecting, kConnected, kGoodbye };
  struct Subscription {
    Qos qos;
    Client::SubscribeDone done;
  };
  struct Incoming {
    std::uint64_t number = 0;
    std::uint16_t packet_id = 0;
    bool handled = false;
  };

  // Connecting (session.cc).
  void Resolve();
  void TryNextAddress();
  void SendConnect();
  Status OnConnack(const mqtt::Frame& frame);
  void OnClosed(const Error& error);
  void AttemptFailed(const Error& error);
  void SchedulePing();
  void OnPingTimer();
  void CancelTimers();
  void Goodbye();
  void GoodbyeIfDrained();

  // Packets (session_packets.cc).
  Status OnFrame(const mqtt::Frame& frame);
  Status OnPublish(const mqtt::Frame& frame);
  Status OnPuback(const mqtt::Frame& frame);
  Status OnSuback(const mqtt::Frame& frame);
  void SendSubscribe(const std::string& filter, Qos qos);
  void SendWaiting();
  void Send(PendingPublish publish);
  void OnWritten();
  void OnHandled(std::uint64_t message);
  void Finish(PendingPublish publish, Status outcome);
  void RestoreQueue();
  std::uint16_t NewPacketId();

  EventLoop* loop_;
  const ClientOptions options_;
  const ClientCallbacks callbacks_;
  const std::shared_ptr<Mailbox> mailbox_;
  Backoff backoff_;

  State state_ = State::kWaiting;
  bool closing_ = false;
  std::vector<HostPort> addresses_;  // Of the server; those before next_address_ were tried.
  std::size_t next_address_ = 0;
  std::unique_ptr<Connection> connection_;
  std::unique_ptr<Connection> retired_;  // The last one: it may still be on the call stack.
  bool session_present_ = false;
  std::int64_t connected_at_ns_ = 0;
  TimerId attempt_timer_ = 0;
  TimerId deadline_timer_ = 0;
  TimerId ping_timer_ = 0;
  bool ping_unanswered_ = false;

  std::map<std::string, Subscription> subscriptions_;
  std::map<std::uint16_t, std::string> subscribing_;  // By packet id.
  std::deque<PendingPublish> waiting_;
  std::deque<PendingPublish> writing_;    // QoS 0, in the connection's buffer.
  std::deque<PendingPublish> in_flight_;  // QoS 1, not acknowledged.
  std::uint16_t last_packet_id_ = 0;
  std::deque<Incoming> incoming_;  // QoS 1 received and not acknowledged, in order of arrival.
  std::uint64_t next_incoming_ =
      0;  // Never starts anew, so that no old number is taken for a new one.
};

}  // namespace atalaya::cloud_client
