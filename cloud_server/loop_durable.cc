// What a loop keeps in the journal: records of publishes, what waits for them, restoring after a
// restart, and its part in a compaction.

#include <algorithm>

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "cloud_server/loop.h"
#include "cloud_server/message_fields.h"
#include "cloud_server/message_properties.h"

namespace atalaya::cloud_server {
namespace {

using telemetry::Stat;

// How often a server says in its journal that it is alive.
constexpr std::chrono::seconds kClockEvery{60};

// How long a client that was connected when the server died has to come back before its will is
// published.
constexpr std::chrono::seconds kWillGrace{30};

// What may wait for the disk; above it this loop reads from no client.
constexpr std::uint64_t kMaxPendingBytes = 64u << 20;

constexpr std::chrono::milliseconds kBetweenImages{2};

std::uint8_t TargetFlags(mqtt::Qos qos, bool retain) {
  return static_cast<std::uint8_t>(static_cast<unsigned>(qos) |
                                   (retain ? MessageFields::kRetainBit : 0u));
}

std::uint8_t OptionsOf(const Subscriber& subscriber) {
  return static_cast<std::uint8_t>(
      static_cast<unsigned>(subscriber.qos) |
      (subscriber.no_local ? SubscriptionFields::kNoLocalBit : 0u) |
      (subscriber.retain_as_published ? SubscriptionFields::kRetainAsPublishedBit : 0u));
}

// Most never expire, and need no look at the clocks.
ClockPair ClocksFor(const Publication& publication) {
  return publication.expires_ns == 0 ? ClockPair() : ClockPair::Now();
}

}  // namespace

ClockPair Loop::clocks() const { return ClockPair::Now(); }

// Kept sessions.

void Loop::NoteOpened(Session* session) {
  if (!log_.enabled()) return;
  const bool is_new = session->record_id == 0;
  if (is_new) {
    if (session->expiry_s == 0 && !session->will) return;
    session->record_id = log_.NewId();
    if (session->expiry_s > 0) session->Keep(&log_);
    recorded_.emplace(session->record_id, session);
  }
  log_.Write(OpenedOf(*session, clocks()));
}

SessionOpened Loop::OpenedOf(const Session& session, const ClockPair& clocks) {
  SessionOpened record;
  record.session = session.record_id;
  record.client_id = session.client_id();
  record.expiry_s = session.expiry_s;
  if (session.will) record.will.push_back(FieldsOf(*session.will, clocks));
  record.will_delay_s = session.will_delay_s;
  record.user = session.user();
  record.by_certificate = session.rights != nullptr && session.rights->by_certificate ? 1 : 0;
  return record;
}

SessionClosed Loop::ClosedOf(const Session& session, const ClockPair& clocks) {
  SessionClosed record;
  record.session = session.record_id;
  record.expiry_s = session.expiry_s;
  // Where it expires says when it was closed, also long after.
  const std::int64_t closed_ns = session.expires_ns == 0
                                     ? clocks.steady_ns
                                     : session.expires_ns - session.expiry_s * kNsPerSecond;
  record.closed_ms = static_cast<std::uint64_t>(
      std::max<std::int64_t>(clocks.utc_ms + (closed_ns - clocks.steady_ns) / 1'000'000, 1));
  record.will_due_ms = clocks.ToUtc(session.will_due_ns);
  return record;
}

void Loop::NoteClosed(const Session& session) {
  if (session.record_id != 0) log_.Write(ClosedOf(session, clocks()));
}

void Loop::NoteEnded(const Session& session) {
  if (session.record_id == 0) return;
  log_.Write(SessionEnded{session.record_id});
  recorded_.erase(session.record_id);
}

void Loop::NoteSubscribed(const Session& session, std::span<const SubscriptionEdit> edits) {
  if (!session.is_kept() || edits.empty()) return;
  Subscribed record;
  record.session = session.record_id;
  for (const SubscriptionEdit& edit : edits) {
    record.subscriptions.push_back(
        {edit.filter, OptionsOf(edit.subscriber), edit.subscriber.subscription_id});
  }
  log_.Write(record);
}

void Loop::NoteUnsubscribed(const Session& session, std::span<const SubscriptionEdit> edits) {
  if (!session.is_kept() || edits.empty()) return;
  Unsubscribed record;
  record.session = session.record_id;
  for (const SubscriptionEdit& edit : edits) record.filters.push_back(edit.filter);
  log_.Write(record);
}

// Publishes.

bool Loop::MustRecord(const mqtt::Publish& packet, const Session& from) {
  if (!log_.enabled()) return false;
  if (packet.retain || (packet.qos == mqtt::Qos::k2 && from.is_kept())) return true;
  return packet.qos != mqtt::Qos::k0 && routes_.Find(packet.topic).has_kept;
}

void Loop::RecordPublish(const Route& route, std::uint64_t retained_order,
                         std::span<const ShareSubscriber* const> turns, Publication* publication) {
  Published record;
  const mqtt::Publish& packet = publication->packet;
  const auto add = [&](std::uint64_t session, mqtt::Qos qos, bool retain,
                       const std::vector<std::uint32_t>& ids) {
    record.targets.push_back({session, TargetFlags(qos, retain), ids});
  };
  if (packet.qos != mqtt::Qos::k0) {
    for (const Target& target : route.kept) {
      const mqtt::Qos qos = std::min(target.qos, packet.qos);
      if (qos == mqtt::Qos::k0 || (target.no_local && target.session == publication->from))
        continue;
      add(target.record_id, qos, target.retain_as_published && packet.retain,
          target.subscription_ids);
    }
    for (const ShareSubscriber* turn : turns) {
      if (turn != nullptr) AddTurn(*turn, packet, &record);
    }
  }
  const bool of_session =
      publication->from_record != 0 && (publication->incoming_id != 0 || publication->is_will);
  if (record.targets.empty() && retained_order == 0 && !of_session) return;
  publication->message_id = record.message = log_.NewId();
  record.fields = FieldsOf(packet, publication->expires_ns, ClocksFor(*publication));
  if (of_session) record.from = publication->from_record;
  record.incoming_id = publication->incoming_id;
  record.is_will = publication->is_will ? 1 : 0;
  record.retained_order = retained_order;
  log_.Write(record);
}

void Loop::AddTurn(const ShareSubscriber& turn, const mqtt::Publish& packet, Published* record) {
  const Subscriber& subscriber = turn.subscriber;
  const mqtt::Qos qos = std::min(subscriber.qos, packet.qos);
  if (subscriber.record_id == 0 || qos == mqtt::Qos::k0) return;
  TargetFields& target = record->targets.emplace_back();
  target.session = subscriber.record_id;
  target.flags = TargetFlags(qos, subscriber.retain_as_published && packet.retain);
  if (subscriber.subscription_id != 0) target.subscription_ids = {subscriber.subscription_id};
}

std::string Loop::KeptTargetsIn(std::uint16_t loop, const Route& route,
                                const Publication& publication) const {
  std::string targets;
  if (publication.message_id == 0 || publication.packet.qos == mqtt::Qos::k0) return targets;
  RecordWriter writer(&targets);
  for (const Target& target : route.kept) {
    const mqtt::Qos qos = std::min(target.qos, publication.packet.qos);
    if (target.loop != loop || qos == mqtt::Qos::k0) continue;
    if (target.no_local && target.session == publication.from) continue;
    TargetFields fields{target.record_id,
                        TargetFlags(qos, target.retain_as_published && publication.packet.retain),
                        target.subscription_ids};
    fields.Describe(writer);
  }
  return targets;
}

// Those that the record names: a subscription that has changed since changes nothing for them.
void Loop::DeliverToKept(Publication* publication) {
  for (RecordReader reader(publication->kept_targets); !reader.empty();) {
    TargetFields target;
    target.Describe(reader);
    const auto found = recorded_.find(target.session);
    if (found == recorded_.end()) continue;  // It has ended, as the journal says as well.
    Deliver(found->second, static_cast<mqtt::Qos>(target.flags & 3u),
            (target.flags & MessageFields::kRetainBit) != 0, target.subscription_ids, publication);
  }
}

// Returns the id of the message.
std::uint64_t Loop::RecordForOne(const Session& session, mqtt::Qos qos, bool retain,
                                 const std::vector<std::uint32_t>& ids,
                                 const Publication& publication) {
  Published record;
  record.message = log_.NewId();
  record.fields = FieldsOf(publication.packet, publication.expires_ns, ClocksFor(publication));
  record.targets.push_back({session.record_id, TargetFlags(qos, retain), ids});
  log_.Write(record);
  return record.message;
}

// A message of a share goes to another member than the one that had it.
void Loop::RecordPassOn(const ShareSubscriber& to, std::uint64_t taken_from,
                        std::uint64_t taken_message, Publication* publication) {
  publication->message_id = 0;
  if (!log_.enabled()) return;
  Published record;
  AddTurn(to, publication->packet, &record);
  if (taken_from != 0 && taken_message != 0) {
    record.taken_from = taken_from;
    record.taken_message = taken_message;
  } else if (record.targets.empty()) {
    return;
  }
  publication->message_id = record.message = log_.NewId();
  record.fields = FieldsOf(publication->packet, publication->expires_ns, ClocksFor(*publication));
  log_.Write(record);
}

// What waits for the disk.

void Loop::HoldFor(Connection* connection) {
  if (connection->holds) return;
  connection->holds = true;
  holding_.push_back(connection);
}

void Loop::PauseUntilRoom(Connection* connection) {
  connection->SetReading(false);
  if (std::find(paused_.begin(), paused_.end(), connection) != paused_.end()) return;
  paused_.push_back(connection);
  has_paused_ = true;
  if (!log_.full()) Wake();  // There has come to be some meanwhile: nobody else would say so.
}

void Loop::ForgetHeld(Connection* connection) {
  if (std::exchange(connection->holds, false)) std::erase(holding_, connection);
  if (!paused_.empty()) std::erase(paused_, connection);
}

void Loop::OnJournalProgress() {
  if (log_.IsWaiting() || has_paused_.load()) Wake();
}

void Loop::ReleaseDurable() {
  if (!log_.enabled()) return;
  const Ticket released = log_.Released();
  std::erase_if(holding_, [&](Connection* connection) {
    connection->holds = connection->ReleaseHeld(released);
    return !connection->holds;
  });
  if (compaction_ticket_ != 0 && compaction_ticket_ <= released) {
    compaction_ticket_ = 0;
    hub_->compaction.End(&log_);
  }
  if (paused_.empty() || log_.full()) return;
  std::vector<Connection*> paused;
  paused.swap(paused_);
  has_paused_ = false;
  for (Connection* connection : paused) {
    if (!stop_reading_) connection->SetReading(true);
    connection->ProcessBuffered();
  }
}

bool Loop::JournalLags() const {
  if (hub_->durability == nullptr) return false;
  const std::uint64_t pending = hub_->durability->journal().figures().pending_bytes;
  return pending > (congested_ ? kMaxPendingBytes / 2 : kMaxPendingBytes);
}

void Loop::JournalTick() {
  if (!log_.enabled() || index_ != 0) return;
  ShowJournal();
  if (now_ns() - clock_written_ns_ >= std::chrono::nanoseconds(kClockEvery).count()) {
    clock_written_ns_ = now_ns();
    if (!log_.full()) log_.WriteClock();
  }
  if (!stop_reading_ && hub_->compaction.IsDue(hub_->durability->journal())) BeginCompaction();
}

void Loop::ShowJournal() {
  const Journal& journal = hub_->durability->journal();
  const JournalFigures& figures = journal.figures();
  const auto set = [&](Stat stat, std::uint64_t value) {
    stats_->Set(stat, static_cast<std::int64_t>(value));
  };
  set(Stat::kJournalRecords, figures.records);
  set(Stat::kJournalWrittenBytes, figures.written_bytes);
  set(Stat::kJournalPendingBytes, figures.pending_bytes);
  set(Stat::kJournalFileBytes, journal.file_bytes());
  set(Stat::kJournalFull, journal.full() ? 1 : 0);
  set(Stat::kJournalCompactions, hub_->compaction.count());
  set(Stat::kJournalLostRecords, journal.report().lost_records);
  for (std::size_t i = 0; i < figures.commit_buckets.size(); ++i) {
    set(static_cast<Stat>(static_cast<std::size_t>(Stat::kJournalCommit100Us) + i),
        figures.commit_buckets[i]);
  }
  set(Stat::kJournalCommitSum, figures.commit_ns);
}

// After a restart.

void Loop::Restore(SavedSession* saved, const DurableState& state) {
  const ClockPair& at = state.clocks();
  const auto now_ms = static_cast<std::uint64_t>(at.utc_ms);
  constexpr std::uint64_t kMarginMs = std::chrono::milliseconds(kClockEvery).count();
  constexpr std::uint64_t kGraceMs = std::chrono::milliseconds(kWillGrace).count();
  if (saved->connected) {
    // Where damage has taken every word of when the server lived, that costs nobody a session.
    saved->closed_ms =
        state.last_alive_ms() == 0 ? now_ms : std::min(now_ms, state.last_alive_ms() + kMarginMs);
  }
  if (saved->expiry_s == 0 && !saved->will) return;

  auto owned = std::make_unique<Session>(saved->client_id, stats_);
  Session* const session = owned.get();
  if (!sessions_.insert(std::move(owned)).second) return;
  hub_->sessions.fetch_add(1, std::memory_order_relaxed);
  stats_->Add(Stat::kSessionsOffline);
  session->record_id = saved->id;
  if (saved->expiry_s > 0) session->Keep(&log_);
  recorded_.emplace(saved->id, session);
  session->expiry_s = saved->expiry_s;
  if (!saved->user.empty()) {
    session->rights = std::make_unique<Rights>();
    session->rights->user = saved->user;
    session->rights->by_certificate = saved->by_certificate;
  }
  session->since_ms = static_cast<std::int64_t>(saved->closed_ms);
  session->will = saved->will;
  session->will_delay_s = saved->will_delay_s;
  if (saved->will) {
    const std::uint64_t due_ms =
        saved->connected
            ? std::max(now_ms + kGraceMs, saved->closed_ms + saved->will_delay_s * 1000)
            : saved->will_due_ms;
    session->will_due_ns = at.ToSteady(due_ms);
  }
  if (saved->expiry_s == 0) {
    session->expires_ns = session->will_due_ns;
  } else if (saved->expiry_s != kNeverExpires) {
    session->expires_ns = at.ToSteady(saved->closed_ms + saved->expiry_s * std::uint64_t{1000});
  }
  session->Restore(&saved->deliveries, saved->incoming);
  std::vector<SubscriptionEdit> edits;
  for (const auto& [filter, saved_subscription] : saved->subscriptions) {
    Subscriber subscriber;
    subscriber.qos = static_cast<mqtt::Qos>(std::min(saved_subscription.options & 3u, 2u));
    subscriber.no_local = (saved_subscription.options & SubscriptionFields::kNoLocalBit) != 0;
    subscriber.retain_as_published =
        (saved_subscription.options & SubscriptionFields::kRetainAsPublishedBit) != 0;
    subscriber.subscription_id = saved_subscription.id;
    edits.push_back(AddSubscription(session, filter, subscriber));
  }
  if (!edits.empty()) hub_->subscriptions.Apply(edits);
  ScheduleSession(session);
}

// Compaction. The records that a loop wrote before it began may still be on their way to another
// loop: each loop sends a mark behind them, and images are only written when all marks are in.

void Loop::BeginCompaction() {
  Hub* const hub = hub_;
  hub_->compaction.Begin(&log_, &hub_->retained, hub_->loops.size(), [hub] {
    Loop* const first = hub->loops.front().get();
    first->events_->Post([first] { first->EndCompaction(); });
  });
  for (const auto& loop : hub_->loops) {
    Loop* const each = loop.get();
    each->events_->Post([each] { each->SendMarks(); });
  }
}

void Loop::SendMarks() {
  for (std::size_t to = 0; to < outbound_.size(); ++to) {
    if (to == index_) continue;
    outbound_[to].filling->SetMark();
    SendBatch(to);
  }
  OnMark();
}

void Loop::OnMark() {
  if (++marks_ < hub_->loops.size()) return;
  marks_ = 0;
  to_image_.clear();
  for (const auto& [record_id, session] : recorded_) to_image_.push_back(record_id);
  bodies_.clear();
  WriteImages();
}

void Loop::WriteImages() {
  const std::size_t before = log_.gathered_bytes();
  const auto has_time = [&] { return log_.gathered_bytes() < before + kImageBytesPerTurn; };
  const ClockPair now = clocks();
  while (!to_image_.empty() && has_time()) {
    const auto found = recorded_.find(to_image_.back());
    if (found != recorded_.end()) {
      Session* const session = found->second;
      // First the bodies, over as many turns as it takes, then all else at once: what came or went
      // meanwhile is either in there or newer than the compaction's beginning.
      std::size_t at = 0;
      const bool all = session->VisitKept(&at, [&](std::uint64_t id, const MessagePtr& message) {
        if (id >= hub_->compaction.id_floor() || !bodies_.insert(id).second) return true;
        log_.Write(Body{id, FieldsOf(*message, now)});
        return has_time();
      });
      if (!all) break;
      log_.Write(ImageOf(*session, now));
    }
    to_image_.pop_back();
  }
  if (!to_image_.empty()) {
    events_->RunAfter(kBetweenImages, [this] { WriteImages(); });
    return;
  }
  log_.Submit();
  bodies_.clear();
  hub_->compaction.Done();
}

SessionImage Loop::ImageOf(const Session& session, const ClockPair& now) const {
  SessionImage image;
  image.opened = OpenedOf(session, now);
  image.is_connected = session.connection != nullptr ? 1 : 0;
  image.closed = ClosedOf(session, now);
  if (!session.is_kept()) return image;
  for (const auto& [filter, subscriber] : session.subscriptions) {
    image.subscriptions.push_back({filter, OptionsOf(subscriber), subscriber.subscription_id});
  }
  session.Describe(&image);
  return image;
}

void Loop::EndCompaction() {
  log_.Write(CompactionEnded{hub_->durability->next_id()});
  compaction_ticket_ = log_.ticket();
  log_.Submit();
}

}  // namespace atalaya::cloud_server
