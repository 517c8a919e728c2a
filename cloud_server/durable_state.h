#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "cloud_server/durable_record.h"
#include "cloud_server/message.h"

namespace atalaya::cloud_server {

// The two clocks at one moment, so that stored times become times of the steady clock.
struct ClockPair {
  std::int64_t utc_ms = 0;
  std::int64_t steady_ns = 0;

  static ClockPair Now();

  // A steady time of 0 and a UTC time of 0 mean never; what has passed already is at least 1.
  std::int64_t ToSteady(std::uint64_t at_ms) const;
  std::uint64_t ToUtc(std::int64_t at_ns) const;
};

// A message on its way to a session.
struct SavedDelivery {
  std::uint64_t message_id = 0;
  MessagePtr message;  // Empty once it is released.
  std::vector<std::uint32_t> subscription_ids;
  std::uint8_t qos = 1;
  bool retain = false;
  bool maybe_sent = false;       // The client may have had it.
  bool released = false;         // A PUBREC has come.
  std::uint16_t packet_id = 0;   // At QoS 2, once it was sent.
  std::uint64_t sent_order = 0;  // Of the packet ids given.
};

struct SavedSession {
  std::uint64_t id = 0;
  bool known = false;  // It has been opened; else only messages for it were seen.
  std::string client_id;
  std::string user;
  bool by_certificate = false;
  std::uint32_t expiry_s = 0;
  bool connected = false;  // When the record ended.
  std::uint64_t closed_ms = 0;
  MessagePtr will;
  std::uint32_t will_delay_s = 0;
  std::uint64_t will_due_ms = 0;
  struct Subscription {
    std::uint8_t options = 0;  // As SubscriptionFields::options.
    std::uint32_t id = 0;
  };
  std::map<std::string, Subscription, std::less<>> subscriptions;
  std::set<std::uint16_t> incoming;
  std::list<SavedDelivery> deliveries;  // In the order published.
  // Where a message stands in `deliveries`; one may be there more than once.
  std::unordered_multimap<std::uint64_t, std::list<SavedDelivery>::iterator> places;
};

struct SavedRetained {
  std::uint64_t order = 0;
  MessagePtr message;  // Empty: cleared.
};

// What the journal's records add up to: applied one by one, oldest first. A record whose fields are
// wrong, or that speaks of what was lost, is passed over. Threads: one at a time.
class DurableState {
 public:
  explicit DurableState(ClockPair clocks) : clocks_(clocks) {}

  void Apply(std::string_view record);

  // What counts once all records have been applied.
  std::unordered_map<std::uint64_t, SavedSession>& sessions() { return sessions_; }
  const std::map<std::string, SavedRetained, std::less<>>& retained() const { return retained_; }
  std::uint64_t next_id() const { return next_id_; }  // Above every id of sessions and messages.
  std::uint64_t next_retained_order() const { return next_retained_order_; }
  std::uint64_t last_alive_ms() const { return last_alive_ms_; }  // Of the server; UTC.
  std::uint64_t unreadable() const { return unreadable_; }        // Records passed over as wrong.
  const ClockPair& clocks() const { return clocks_; }

 private:
  void On(const SessionOpened& record);
  void On(const SessionClosed& record);
  void On(const SessionEnded& record);
  void On(const Subscribed& record);
  void On(const Unsubscribed& record);
  void On(const Published& record);
  void On(const Sent& record);
  void On(const Released& record);
  void On(const Completed& record);
  void On(const Removed& record);
  void On(const IncomingBegan& record);
  void On(const IncomingEnded& record);
  void On(const ClockRecord& record);
  void On(const CompactionBegan& record);
  void On(const CompactionEnded& record);
  void On(const SessionImage& record);
  void On(const Body& record);
  void On(const RetainedImage& record);
  template <typename Record>
  void Read(std::string_view fields);

  SavedSession& SessionOf(std::uint64_t id);
  MessagePtr MakeMessage(const MessageFields& fields) const;
  void Retain(std::uint64_t order, const MessageFields& fields, MessagePtr message);
  void SawId(std::uint64_t id) { next_id_ = id >= next_id_ ? id + 1 : next_id_; }
  void SawTime(std::uint64_t ms) { last_alive_ms_ = ms > last_alive_ms_ ? ms : last_alive_ms_; }

  const ClockPair clocks_;
  std::unordered_map<std::uint64_t, SavedSession> sessions_;
  std::map<std::string, SavedRetained, std::less<>> retained_;
  std::unordered_map<std::uint64_t, MessagePtr> bodies_;  // Of the compaction that is being read.
  std::uint64_t next_id_ = 1;
  std::uint64_t next_sent_ = 1;
  std::uint64_t next_retained_order_ = 1;
  std::uint64_t last_alive_ms_ = 0;
  std::uint64_t unreadable_ = 0;
};

}  // namespace atalaya::cloud_server
