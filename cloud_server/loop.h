#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/clock.h"
#include "base/event_loop.h"
#include "cloud_server/access.h"
#include "cloud_server/address_table.h"
#include "cloud_server/channel.h"
#include "cloud_server/client_report.h"
#include "cloud_server/compaction.h"
#include "cloud_server/connection.h"
#include "cloud_server/durability.h"
#include "cloud_server/hash.h"
#include "cloud_server/limits.h"
#include "cloud_server/listener.h"
#include "cloud_server/login_delay.h"
#include "cloud_server/logins.h"
#include "cloud_server/presence.h"
#include "cloud_server/retained.h"
#include "cloud_server/route_cache.h"
#include "cloud_server/session.h"
#include "cloud_server/subscriptions.h"
#include "cloud_server/sys_topics.h"
#include "cloud_server/timer_wheel.h"
#include "mqtt/packet.h"
#include "telemetry/stats_segment.h"

namespace atalaya::cloud_server {

class Loop;

// What became of the name, password and certificate of a CONNECT.
struct LoginOutcome {
  bool waits = false;  // Not known yet: the connection's ResumeConnect is called when it is.
  mqtt::Reason reason = mqtt::Reason::kSuccess;  // Or why it is refused, and what counts it.
  telemetry::Stat counter{};
  std::string user;  // "" for an anonymous client.
  bool by_certificate = false;
};

// How far a loop has come with its sessions, some of which are looked at in each turn.
struct SessionScan {
  std::size_t bucket = 0;
  std::size_t buckets = 0;  // As many as there were at the start: a rehash starts it anew.
};

inline constexpr std::size_t kScannedAtOnce = 1000;  // Sessions, or empty places for them.
inline constexpr std::chrono::milliseconds kLoopTick{100};
inline constexpr std::size_t kLoginThreads = 2;

// What a CONNECT wants of its session.
struct AttachRequest {
  std::string_view client_id;
  bool clean_start = true;
  std::uint32_t expiry_s = 0;  // As Session::expiry_s.
  std::uint16_t receive_maximum = kNoReceiveMaximum;
  MessagePtr will;
  std::uint32_t will_delay_s = 0;
  const LoginOutcome* login = nullptr;
};

// What became of one filter of a SUBSCRIBE.
struct SubscribeOutcome {
  mqtt::Reason reason = mqtt::Reason::kSuccess;  // Or why it was refused.
  mqtt::Qos granted = mqtt::Qos::k0;
  bool is_new = false;  // No subscription to this filter stood before.
};

// What all loops share. Outlives them.
struct Hub {
  std::unique_ptr<Durability> durability;  // nullptr: everything is in memory only.
  Compaction compaction;
  SubscriptionIndex subscriptions;
  RetainedStore retained;
  RetainedStore sys;                 // What the server itself publishes: not counted as retained.
  std::filesystem::path stats_file;  // Where the counters of all loops are read from.
  std::vector<std::unique_ptr<Listener>> listeners;  // Complete before the first loop runs.
  std::vector<std::unique_ptr<Loop>> loops;
  std::vector<std::unique_ptr<Channel>> channels;  // From loop a to loop b at a * loops.size() + b.
  std::atomic<std::uint64_t> connections{0};
  std::atomic<std::uint64_t> sessions{0};
  std::shared_ptr<const Access> access;  // What loops start with; see Loop::SetAccess.
  LoginDelays login_delays{SystemClock()};
  LoginPool login_pool{kLoginThreads};  // Behind the loops, as it calls them.
  AddressTable addresses;
  std::atomic<std::int64_t> output_memory{0};  // Bytes; each loop is within kMemorySlackBytes.
  std::atomic<std::int64_t> queue_memory{0};   // The same, of queue entries and parked packets.

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
  void NoteReload(bool succeeded);  // In the figures.
  // Clients that may not stay are disconnected, subscriptions that may not be read end.
  void SetAccess(std::shared_ptr<const Access> access);
  void StopReading(std::function<void()> done);      // First half of a stop: nothing new comes in.
  void FinishStop(std::chrono::milliseconds drain);  // Second half: what is left goes out.
  void Wake();                                       // There is something in an inbox.
  void OnJournalProgress();                          // More is durable, or there is room or none.

  // Before Run: what was kept of one of this loop's sessions.
  void Restore(SavedSession* saved, const DurableState& state);

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
  bool stopping() const { return stop_reading_; }
  DurableLog& log() { return log_; }
  void HoldFor(Connection* connection);  // Until all its packets are released.
  // Stops reading; ProcessBuffered follows once there is room on the disk.
  void PauseUntilRoom(Connection* connection);
  // Whether `packet` of `from` may only be taken together with a record of it.
  bool MustRecord(const mqtt::Publish& packet, const Session& from);
  // Publishers are to be asked whether they may, as there is a rate for them or memory is short.
  bool gated() const {
    return short_of_memory_ || limits_.client_publish_rate > 0 || limits_.client_publish_bytes > 0;
  }
  bool ShortOfMemory() const;
  void SettleMemory();  // Says to all loops what this one holds, and looks how much that is.
  void RetryLater(Connection* connection);  // RetryParked, soon.
  void MarkDirty(Connection* connection);
  void ScheduleRead(Connection* connection);  // ReadAgain in the next turn.
  void ScheduleClose(Connection* connection);
  void HandOff(Connection* connection, std::uint16_t to);

  // Looks at who the client of a CONNECT is. One whose password has to be looked up waits.
  LoginOutcome LogIn(Connection* connection, const mqtt::Connect& packet);
  // Whether a client that has logged in may have this id and this will.
  mqtt::Reason MayConnect(const LoginOutcome& login, std::string_view client_id,
                          const std::optional<mqtt::Will>& will) const;
  // Whether MayPublish has to be asked about `topic` at all.
  bool NeedsLook(std::string_view topic) const { return has_acl_ || IsOwnTopic(topic); }
  Verdict MayPublish(Session* session, std::string_view topic, bool retain);

  // For the admin API, any thread. `answer` and `done` are called on the loop's thread.
  void ListClients(const ClientQuery& query, std::function<void(std::vector<ClientReport>)> answer);
  void InspectClient(const std::string& client_id,
                     std::function<void(std::optional<ClientReport>)> answer);
  void DisconnectClient(const std::string& client_id, std::function<void(bool)> answer);
  // Accepts nobody any more and sends the clients away, evenly over `within`.
  void Drain(std::chrono::nanoseconds within, const std::string& use_server,
             std::function<void()> done);

  // Ties `connection` to its client's session, which is made, resumed or replaced; another
  // connection of the same client is closed. nullptr at the limit of sessions.
  Session* Attach(Connection* connection, const AttachRequest& request, bool* present);

  // Routes a publish that came from a client of this loop: retained, here, and to other loops.
  // False where nobody subscribes to its topic.
  bool Publish(Publication* publication);
  void Publish(const Burst& burst);  // `burst.topic` is a valid topic name.
  bool KnowsTopic(std::string_view topic) { return routes_.Knows(topic); }

  // Tells those who subscribe to it whether the session's client is connected.
  void TellPresence(const Session& session);

  // Publishes a retained message of the server's own.
  void PublishSys(std::string_view topic, std::string_view value);

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
  // Hashes and compares sessions by their client ids.
  struct ById {
    using is_transparent = void;
    static std::string_view IdOf(std::string_view id) { return id; }
    static std::string_view IdOf(const std::unique_ptr<Session>& s) { return s->client_id(); }
    std::size_t operator()(const auto& key) const { return HashBytes(IdOf(key)); }
    bool operator()(const auto& a, const auto& b) const { return IdOf(a) == IdOf(b); }
  };

  // A client whose password is being looked up.
  struct Login {
    enum class State : std::uint8_t { kWaits, kTurn, kGood, kWrong };
    std::uint64_t ticket = 0;  // Tells it from one of an earlier connection at the same address.
    std::string address;       // As AddressKey gives it.
    State state = State::kWaits;
  };
  using Logins = std::unordered_map<Connection*, Login>;
  struct Draining {
    std::int64_t end_by_ns = 0;
    std::string use_server;
    std::function<void()> done;  // Empty once called.
  };
  struct Listing;

  Loop(std::uint16_t index, Hub* hub, telemetry::StatsLoop* stats, const Limits& limits,
       std::unique_ptr<EventLoop> events, UniqueFd wake);

  void Accept(UniqueFd fd, const Listener& listener);
  void Adopt(std::unique_ptr<Connection> connection);
  void TakeIn(std::unique_ptr<Connection> connection);  // From another loop.
  std::unique_ptr<Connection> TakeOut(Connection* connection);
  void OnTick();
  void OnSysTick();
  void ReadScheduled();
  bool Admit(int fd);  // By its address; counts a refusal.
  std::int64_t MemoryUsed() const;
  void ShedSlowConsumer();
  void RetryParked();
  void ForgetParked(Connection* connection);
  void NotePublish(std::int64_t received_ns) {
    if (oldest_publish_ns_ == 0 || received_ns < oldest_publish_ns_) {
      oldest_publish_ns_ = received_ns;
    }
  }
  void CountLag();
  void CountDeliveries();
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
  SubscriptionEdit AddSubscription(Session* session, std::string_view filter,
                                   Subscriber subscriber);
  void DeliverLocally(const Route& route, Publication* publication, bool to_kept);
  void DeliverLocally(const Route& route, const Burst& burst);
  void Deliver(Session* session, mqtt::Qos qos, bool retain,
               const std::vector<std::uint32_t>& subscription_ids, Publication* publication,
               const std::string* share = nullptr);
  static std::vector<const ShareSubscriber*> ChooseTurns(const Route& route);
  void DeliverToShares(const Route& route, std::span<const ShareSubscriber* const> turns,
                       Publication* publication);
  void DeliverToMember(const ShareSubscriber& to, const std::string& share,
                       Publication* publication);
  void DeliverTurn(Publication* publication);
  bool PassOn(const Delivery& delivery, const Session* from, bool only_to_connected);
  void RedistributeAway(Session* session);
  void RedistributeGone(Session* session, std::vector<Delivery> deliveries);
  void SendTo(std::uint16_t loop, Publication* publication);
  void DeliverEverywhere(const Route& route, std::span<const ShareSubscriber* const> turns,
                         Publication* publication);
  void SendRetainedOf(const RetainedStore& store, Session* session,
                      const mqtt::Subscription& subscription,
                      const std::vector<std::uint32_t>& subscription_ids);
  void DrainInboxes();
  void StopAccepting();

  void BeginLogin(Connection* connection, std::string address, LoginOutcome* outcome);
  void OnLoginTurn(Connection* connection, std::uint64_t ticket);
  void ResumeLogin(Connection* connection, std::uint64_t ticket);
  LoginOutcome FinishLogin(Logins::iterator found, const mqtt::Connect& packet);
  bool SubmitLogin(Connection* connection, std::uint64_t ticket, const mqtt::Connect& packet);
  void ApplyAccess(const std::shared_ptr<const Access>& before, SessionScan scan,
                   std::uint64_t rules);
  bool MayStay(const Session& session, int fd, const Access& before) const;
  void DropUnreadable(Session* session);

  // Calls visit(Session*) for some sessions; false where these were the last. `visit` may not make
  // or end sessions.
  template <typename Visit>
  bool ScanSome(SessionScan* scan, const Visit& visit) {
    if (scan->buckets != sessions_.bucket_count()) *scan = {0, sessions_.bucket_count()};
    for (std::size_t seen = 0; scan->bucket < scan->buckets && seen < kScannedAtOnce;) {
      for (auto at = sessions_.begin(scan->bucket); at != sessions_.end(scan->bucket); ++at) {
        visit(at->get());
        ++seen;
      }
      ++scan->bucket;
      ++seen;
    }
    return scan->bucket < scan->buckets;
  }

  // presence/<client>.
  void DeliverPresence(const PresenceStatus& status);
  static PresenceStatus StatusOf(const Session& session);
  static Publication PublicationOf(const PresenceStatus& status);
  void AskPresence(const Session& session, const mqtt::Subscription& subscription,
                   std::uint32_t subscription_id);
  void AnswerPresence(const PresenceQuestion& question, const std::string& only, SessionScan scan);
  void ReceivePresence(const PresenceQuestion& question,
                       const std::vector<PresenceStatus>& statuses);

  void ListSome(const std::shared_ptr<Listing>& listing, SessionScan scan);
  ClientReport ReportOf(const Session& session) const;
  void DrainSome();
  void SendBatch(std::size_t to);
  bool PushBatches(std::size_t to);  // Whether the other loop must be told.
  void SendBatches(bool may_help);
  bool TryHelp(Loop* sleeper);
  void SetCongested(bool congested);
  void MaybeEnd();

  ClockPair clocks() const;
  void NoteOpened(Session* session);
  void NoteClosed(const Session& session);
  void NoteEnded(const Session& session);
  void NoteSubscribed(const Session& session, std::span<const SubscriptionEdit> edits);
  void NoteUnsubscribed(const Session& session, std::span<const SubscriptionEdit> edits);
  static SessionOpened OpenedOf(const Session& session, const ClockPair& clocks);
  static SessionClosed ClosedOf(const Session& session, const ClockPair& clocks);
  void RecordPublish(const Route& route, std::uint64_t retained_order,
                     std::span<const ShareSubscriber* const> turns, Publication* publication);
  static void AddTurn(const ShareSubscriber& turn, const mqtt::Publish& packet, Published* record);
  std::uint64_t RecordForOne(const Session& session, mqtt::Qos qos, bool retain,
                             const std::vector<std::uint32_t>& ids, const Publication& publication);
  void RecordPassOn(const ShareSubscriber& to, std::uint64_t taken_from,
                    std::uint64_t taken_message, Publication* publication);
  std::string KeptTargetsIn(std::uint16_t loop, const Route& route,
                            const Publication& publication) const;
  void DeliverToKept(Publication* publication);
  void ReleaseDurable();
  void ForgetHeld(Connection* connection);
  bool JournalLags() const;
  void JournalTick();
  void ShowJournal();
  void BeginCompaction();
  void SendMarks();
  void OnMark();
  void WriteImages();
  SessionImage ImageOf(const Session& session, const ClockPair& now) const;
  void EndCompaction();

  const std::uint16_t index_;
  Hub* const hub_;
  telemetry::StatsLoop* const stats_;
  Limits limits_;
  std::shared_ptr<const Access> access_;
  bool has_acl_ = false;
  std::uint64_t rules_ = 1;  // Grows with each SetAccess.
  Logins logins_;
  std::uint64_t last_ticket_ = 0;
  std::unique_ptr<Draining> draining_;  // nullptr: not being drained.
  std::unique_ptr<EventLoop> events_;
  UniqueFd wake_;
  std::vector<std::unique_ptr<Acceptor>> acceptors_;
  std::vector<char> read_buffer_;
  BufferPool buffers_;
  TimerWheel wheel_;          // Of connections.
  TimerWheel session_wheel_;  // Of sessions whose client is away.
  std::int64_t start_ns_ = 0;
  RouteCache routes_;
  DurableLog log_;
  std::unordered_map<std::uint64_t, Session*> recorded_;  // By Session::record_id.
  std::vector<Connection*> holding_;                      // With packets that wait for the disk.
  std::vector<Connection*> paused_;  // With a publish that waits for room there.
  std::atomic<bool> has_paused_{false};
  std::int64_t clock_written_ns_ = 0;
  std::size_t marks_ = 0;                     // Of a compaction; from how many loops they are in.
  std::vector<std::uint64_t> to_image_;       // Sessions that it has still to write.
  std::unordered_set<std::uint64_t> bodies_;  // Messages that it has written.
  Ticket compaction_ticket_ = 0;              // Of its end; 0: none.
  std::unordered_set<std::unique_ptr<Session>, ById, ById> sessions_;
  std::vector<std::unique_ptr<Connection>> connections_;
  std::vector<Connection*> dirty_;
  std::vector<Connection*> to_read_;
  std::vector<Connection*> parked_;  // With packets that wait for their turn.
  std::vector<Connection*> to_close_;

  // Toward each other loop: the batch being filled, and full ones that found no room in the ring.
  struct Outbound {
    std::unique_ptr<Batch> filling;
    RingQueue<std::unique_ptr<Batch>> waiting;
  };
  std::vector<Outbound> outbound_;
  std::size_t waiting_bytes_ = 0;
  SysTopics sys_topics_;  // Used by the first loop.
  bool congested_ = false;
  bool short_of_memory_ = false;
  std::int64_t said_output_ = 0;  // What of this loop is in the hub's figures.
  std::int64_t said_queues_ = 0;
  std::int64_t tick_due_ns_ = 0;
  std::int64_t oldest_publish_ns_ = 0;  // When the first publish of this turn was read; 0: none.

  bool stop_reading_ = false;
  std::int64_t end_by_ns_ = 0;  // 0: not ending.
};

}  // namespace atalaya::cloud_server
