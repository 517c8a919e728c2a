#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/event_loop.h"
#include "cloud_server/channel.h"
#include "cloud_server/connection.h"
#include "cloud_server/hash.h"
#include "cloud_server/limits.h"
#include "cloud_server/listener.h"
#include "cloud_server/retained.h"
#include "cloud_server/route_cache.h"
#include "cloud_server/session.h"
#include "cloud_server/subscriptions.h"
#include "cloud_server/timer_wheel.h"
#include "mqtt/packet.h"
#include "telemetry/stats_segment.h"

namespace atalaya::cloud_server {

class Loop;

// What a CONNECT wants of its session.
struct AttachRequest {
  std::string_view client_id;
  bool clean_start = true;
  std::uint32_t expiry_s = 0;  // As Session::expiry_s.
  std::uint16_t receive_maximum = kNoReceiveMaximum;
  MessagePtr will;
  std::uint32_t will_delay_s = 0;
};

// What became of one filter of a SUBSCRIBE.
struct SubscribeOutcome {
  mqtt::Reason reason = mqtt::Reason::kSuccess;  // Or why it was refused.
  mqtt::Qos granted = mqtt::Qos::k0;
  bool is_new = false;  // No subscription to this filter stood before.
};

// What all loops share. Outlives them.
struct Hub {
  SubscriptionIndex subscriptions;
  RetainedStore retained;
  std::vector<std::unique_ptr<Listener>> listeners;  // Complete before the first loop runs.
  std::vector<std::unique_ptr<Loop>> loops;
  std::vector<std::unique_ptr<Channel>> channels;  // From loop a to loop b at a * loops.size() + b.
  std::atomic<std::uint64_t> connections{0};
  std::atomic<std::uint64_t> sessions{0};

  Channel& ChannelBetween(std::size_t from, std::size_t to) {
    return *channels[from * loops.size() + to];
  }
};

inline constexpr std::size_t kReadBytes = 64u << 10;  // From one connection in one turn.

// A loop that sleeps is not woken for less than this: the loop that has something for it does its
// work, since a wake-up across CPUs costs more. More is worth a CPU of its own.
inline constexpr std::size_t kHelpBytes = 4u << 10;
inline constexpr std::size_t kHelpConnections = 16;

// One event loop with the connections and sessions that are its own. Sessions belong to the loop
// that their client id hashes to, so that one thread alone ever touches one.
// Threads: its own, but for those that say otherwise.
class Loop : public IoHandler {
 public:
  static Result<std::unique_ptr<Loop>> Create(std::uint16_t index, Hub* hub,
                                              telemetry::StatsLoop* stats, const Limits& limits);
  ~Loop() override;

  // Before Run. The listener is shared by all loops and outlives them.
  Status Listen(const Listener* listener);

  void Run();  // Until FinishStop has ended it.

  // Any thread.
  void SetLimits(const Limits& limits);
  void NoteReload(bool succeeded);                   // In the figures.
  void StopReading(std::function<void()> done);      // First half of a stop: nothing new comes in.
  void FinishStop(std::chrono::milliseconds drain);  // Second half: what is left goes out.
  void Wake();                                       // There is something in an inbox.

  // For connections.
  const Limits& limits() const { return limits_; }
  telemetry::StatsLoop& stats() { return *stats_; }
  EventLoop& events() { return *events_; }
  TimerWheel& wheel() { return wheel_; }
  std::int64_t now_ns() const { return events_->turn_start_ns(); }
  std::int64_t TickOf(std::int64_t steady_ns) const;
  BufferPool& buffers() { return buffers_; }
  std::span<char> read_buffer() { return read_buffer_; }
  std::uint16_t index() const { return index_; }
  std::uint16_t OwnerOf(std::string_view client_id) const;
  std::string InventClientId() const;  // One that this loop owns.
  bool congested() const { return congested_; }
  void MarkDirty(Connection* connection);
  void ScheduleRead(Connection* connection);  // ReadAgain in the next turn.
  void ScheduleClose(Connection* connection);
  void HandOff(Connection* connection, std::uint16_t to);

  // Ties `connection` to its client's session, which is made, resumed or replaced; another
  // connection of the same client is closed. nullptr at the limit of sessions.
  Session* Attach(Connection* connection, const AttachRequest& request, bool* present);

  // Routes a publish that came from a client of this loop: retained, here, and to other loops.
  // False where nobody subscribes to its topic.
  bool Publish(Publication* publication);
  void Publish(const Burst& burst);  // `burst.topic` is a valid topic name.
  bool KnowsTopic(std::string_view topic) { return routes_.Knows(topic); }

  // Sends what waits in `session` as far as its client and the limits take it.
  void Pump(Session* session);

  // One outcome for each filter, in order.
  std::vector<SubscribeOutcome> Subscribe(Session* session, const mqtt::Subscribe& packet);
  // `subscription_id` is 0 for none.
  void SendRetained(Session* session, const mqtt::Subscription& subscription,
                    std::uint32_t subscription_id);
  // For each filter whether there was such a subscription.
  std::vector<bool> Unsubscribe(Session* session, const mqtt::Unsubscribe& packet);

  void OnIo(std::uint32_t epoll_events) override;  // The inbox.

 private:
  class Acceptor;
  struct Arrival;
  struct IdHasher {
    using is_transparent = void;
    std::size_t operator()(std::string_view key) const { return HashBytes(key); }
  };

  Loop(std::uint16_t index, Hub* hub, telemetry::StatsLoop* stats, const Limits& limits,
       std::unique_ptr<EventLoop> events, UniqueFd wake);

  void Accept(UniqueFd fd, const Listener& listener);
  void Adopt(std::unique_ptr<Connection> connection);
  void TakeIn(std::unique_ptr<Connection> connection);  // From another loop.
  std::unique_ptr<Connection> TakeOut(Connection* connection);
  void OnTick();
  void ReadScheduled();
  void OnTurnEnd();
  // What a turn has gathered leaves: for clients, and for other loops. Also called for a loop by
  // another that helps it, which then may not help further ones.
  void FinishWork(bool may_help);
  void CloseNow(Connection* connection);
  void Detach(Connection* connection);
  void EndSession(Session* session, telemetry::Stat reason);
  mqtt::Reason WhyRefused(const Session& session, const mqtt::Subscription& wanted,
                          bool is_new) const;
  void PublishWill(Session* session);
  void ScheduleSession(Session* session);
  void OnSessionDue(Session* session);
  void DeliverLocally(const Route& route, Publication* publication);
  void DeliverLocally(const Route& route, const Burst& burst);
  void Deliver(Session* session, mqtt::Qos qos, bool retain,
               const std::vector<std::uint32_t>& subscription_ids, Publication* publication,
               const std::string* share = nullptr);
  void DeliverToShares(const Route& route, Publication* publication);
  void DeliverToMember(const ShareSubscriber& to, const std::string& share,
                       Publication* publication);
  void DeliverTurn(Publication* publication);
  bool PassOn(const Delivery& delivery, const Session* from, bool only_to_connected);
  void RedistributeAway(Session* session);
  void RedistributeGone(Session* session, std::vector<Delivery> deliveries);
  void SendTo(std::uint16_t loop, Publication* publication);
  void DrainInboxes();
  void SendBatch(std::size_t to);
  bool PushBatches(std::size_t to);  // Whether the other loop must be told.
  void SendBatches(bool may_help);
  bool TryHelp(Loop* sleeper);
  void SetCongested(bool congested);
  void MaybeEnd();

  const std::uint16_t index_;
  Hub* const hub_;
  telemetry::StatsLoop* const stats_;
  Limits limits_;
  std::unique_ptr<EventLoop> events_;
  UniqueFd wake_;
  std::vector<std::unique_ptr<Acceptor>> acceptors_;
  std::vector<char> read_buffer_;
  BufferPool buffers_;
  TimerWheel wheel_;          // Of connections.
  TimerWheel session_wheel_;  // Of sessions whose client is away.
  std::int64_t start_ns_ = 0;
  RouteCache routes_;
  std::unordered_map<std::string, std::unique_ptr<Session>, IdHasher, std::equal_to<>> sessions_;
  std::vector<std::unique_ptr<Connection>> connections_;
  std::vector<Connection*> dirty_;
  std::vector<Connection*> to_read_;
  std::vector<Connection*> to_close_;

  // Toward each other loop: the batch being filled, and full ones that found no room in the ring.
  struct Outbound {
    std::unique_ptr<Batch> filling;
    RingQueue<std::unique_ptr<Batch>> waiting;
  };
  std::vector<Outbound> outbound_;
  std::size_t waiting_bytes_ = 0;
  bool congested_ = false;

  bool stop_reading_ = false;
  std::int64_t end_by_ns_ = 0;  // 0: not ending.
};

}  // namespace atalaya::cloud_server
