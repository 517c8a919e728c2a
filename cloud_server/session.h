#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "cloud_server/durable_log.h"
#include "cloud_server/limits.h"
#include "cloud_server/message.h"
#include "cloud_server/rights.h"
#include "cloud_server/ring_queue.h"
#include "cloud_server/subscriptions.h"
#include "cloud_server/timer_wheel.h"
#include "telemetry/stats_segment.h"

namespace atalaya::cloud_server {

class Connection;

// One packet to send to the session's client: a PUBLISH, or the PUBREL that follows it.
struct Delivery {
  MessagePtr message;
  std::vector<std::uint32_t> subscription_ids;
  std::uint64_t message_id = 0;  // In the journal; 0: it is not kept there.
  std::uint16_t packet_id = 0;   // 0 exactly at QoS 0.
  mqtt::Qos qos = mqtt::Qos::k0;
  bool retain = false;
  bool dup = false;
  bool is_pubrel = false;  // Only `packet_id` counts.
  // The key in Session::subscriptions of the share whose turn it came by; nullptr: by none.
  const std::string* share = nullptr;
};

// What one client is owed, whether it is connected or not: its subscriptions, what waits, and what
// is on the way. It knows no socket: it says what to send and is told what was acknowledged.
// Threads: the loop that owns it.
class Session : public TimerWheel::Entry {
 public:
  // `stats` gets the queue gauges and must outlive the session.
  Session(std::string client_id, telemetry::StatsLoop* stats);
  ~Session();  // Counts what is still queued or in flight as dropped (session_ended).
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  const std::string& client_id() const { return client_id_; }
  std::string_view user() const { return rights == nullptr ? std::string_view() : rights->user; }

  // Its id in the journal; 0: nothing of it is kept there. One that does not outlive its connection
  // may be there for its will alone.
  std::uint64_t record_id = 0;
  // From now on what happens to its messages is written to `log`, which outlives it.
  void Keep(DurableLog* log) { log_ = log; }
  bool is_kept() const { return log_ != nullptr; }

  Connection* connection = nullptr;  // Not owned; nullptr while the client is away.
  std::int64_t expires_ns = 0;       // While the client is away: when it ends; 0: never.
  std::uint32_t expiry_s = 0;        // How long it outlives its connection, or kNeverExpires.

  // Published `will_delay_s` after the connection ends otherwise than by a normal DISCONNECT, or
  // when the session ends before (5.0, 3.1.2.5). Its properties have the message expiry in them.
  std::uint32_t will_delay_s = 0;
  MessagePtr will;
  std::int64_t will_due_ns = 0;  // While the client is away; 0: not waiting.

  std::unique_ptr<Rights> rights;  // May be nullptr.

  // Since when the client is connected or away (UTC), and why, in a static word for presence.
  std::int64_t since_ms = 0;
  const char* since_reason = "restart";

  std::map<std::string, Subscriber, std::less<>> subscriptions;  // By filter.
  std::shared_ptr<ShareMember> member;  // Set where one of them is, or was, shared.

  std::uint16_t receive_maximum = kNoReceiveMaximum;  // What the client takes in flight.

  // Queues a QoS 1 or 2 message behind the others. Where `limits` leave no room, their policy drops
  // the oldest waiting ones or this one, counted; false where it wants the client disconnected too.
  bool Queue(Delivery delivery, const Limits& limits);

  // Takes out of what waits, and was not sent yet, all that came by `share`, or by any where it is
  // nullptr.
  std::vector<Delivery> TakeShared(const std::string* share);

  // Takes the next message that may be sent, and notes it as in flight; those that have expired by
  // `now_ns` are dropped and counted. Empty where nothing waits, or `limits.in_flight` or
  // `receive_maximum` are on the way.
  std::optional<Delivery> TakeNext(const Limits& limits, std::int64_t now_ns);
  bool HasWaiting() const { return queue_size() > 0; }
  std::size_t queue_size() const { return queue_.size(); }
  std::size_t queue_bytes() const { return queue_bytes_; }
  std::size_t in_flight() const { return in_flight_count_; }

  // What a client that comes back has to get again, in the order it was first sent (MQTT-4.4.0-1,
  // MQTT-4.6.0-1).
  std::vector<Delivery> Unacknowledged();

  enum class AckOutcome {
    kDone,        // The message is delivered.
    kRelease,     // PUBREC: answer with a PUBREL.
    kUnknown,     // No such packet id is on the way.
    kWrongState,  // The packet does not fit what was sent under this id.
  };
  AckOutcome OnPuback(std::uint16_t packet_id);
  // `refused`: its reason is an error, and with it the exchange is over (5.0, 4.3.3).
  AckOutcome OnPubrec(std::uint16_t packet_id, bool refused = false);
  AckOutcome OnPubcomp(std::uint16_t packet_id);
  // What was taken last will not be sent: it is as good as acknowledged.
  void Discard(std::uint16_t packet_id);

  // Incoming QoS 2. Begin is false where the id is in use already: the PUBLISH is a repeat and must
  // not be routed again. End is false where the id is unknown.
  // Begin writes nothing to the journal: the record of the publish says it.
  bool BeginIncoming(std::uint16_t packet_id);
  bool EndIncoming(std::uint16_t packet_id);
  bool IsIncoming(std::uint16_t packet_id) const {
    return std::binary_search(incoming_.begin(), incoming_.end(), packet_id);
  }

  // After a restart, before anything else. `deliveries`: in the order published.
  void Restore(std::list<SavedDelivery>* deliveries, const std::set<std::uint16_t>& incoming);
  // What Restore would need: fills in what is on the way, both ways.
  void Describe(SessionImage* image) const;
  // Calls visit(message id, message) for each from place `*at` on until it returns false; true once
  // all are through. Messages may be queued and taken between two calls: those are newer.
  bool VisitKept(std::size_t* at,
                 const std::function<bool(std::uint64_t, const MessagePtr&)>& visit) const;

 private:
  enum class State : std::uint8_t { kSent, kReleased, kDone };
  struct InFlight {
    Delivery delivery;
    State state = State::kSent;
  };

  InFlight* Find(std::uint16_t packet_id);
  AckOutcome Finish(InFlight* entry);
  void DropOldest(telemetry::Stat counter);
  bool HasRoomFor(std::size_t bytes, const Limits& limits) const;
  void CountQueued(std::int64_t packets, std::size_t bytes);
  void NoteRemoved(std::uint64_t message_id);
  template <typename Record>
  void NotePacketId(std::uint16_t packet_id) {
    if (log_ != nullptr) log_->Write(Record{record_id, packet_id});
  }

  std::uint16_t next_packet_id_ = 1;
  std::uint32_t in_flight_count_ = 0;  // Without kDone.
  std::string client_id_;
  telemetry::StatsLoop* stats_;
  DurableLog* log_ = nullptr;
  RingQueue<Delivery> queue_;
  std::size_t queue_bytes_ = 0;
  // In the order sent, packet ids one after the other, so that an id gives its place; those
  // acknowledged out of order stay, as kDone, until all before them are.
  RingQueue<InFlight> in_flight_;
  std::vector<std::uint16_t> incoming_;  // In order.
};

}  // namespace atalaya::cloud_server
