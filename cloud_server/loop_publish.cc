// How a publish finds its subscribers, here and in the other loops.

#include <sys/eventfd.h>

#include <algorithm>
#include <limits>

#include "cloud_server/loop.h"

namespace atalaya::cloud_server {
namespace {

using telemetry::Stat;

// What may wait for a loop that does not keep up; above it the publishers of this loop are read
// from no more, until half of it is gone.
constexpr std::size_t kCongestedBytes = 8u << 20;

}  // namespace

bool Loop::Publish(Publication* publication) {
  std::uint64_t retained_order = 0;
  const bool keeps = publication->packet.retain;
  if (keeps && log_.full()) {
    stats_->Add(Stat::kDroppedRetainedLimit);  // At QoS 0, or a will: nobody can be told.
  } else if (keeps) {
    const RetainedChange change = hub_->retained.Set(
        publication->Shared(), {limits_.retained_messages, limits_.retained_bytes});
    stats_->Add(Stat::kRetainedMessages, change.messages);
    stats_->Add(Stat::kRetainedBytes, change.bytes);
    if (change.refused) stats_->Add(Stat::kDroppedRetainedLimit);
    retained_order = change.order;
  }
  const Route& route = routes_.Find(publication->packet.topic);
  const std::vector<const ShareSubscriber*> turns = ChooseTurns(route);
  if (log_.enabled()) RecordPublish(route, retained_order, turns, publication);
  if (route.empty()) {
    stats_->Add(Stat::kPublishesUnrouted);
    return false;
  }
  DeliverEverywhere(route, turns, publication);
  return true;
}

// `turns`: as ChooseTurns(route) says.
void Loop::DeliverEverywhere(const Route& route, std::span<const ShareSubscriber* const> turns,
                             Publication* publication) {
  for (const std::uint16_t to : route.remote) {
    const std::string kept = KeptTargetsIn(to, route, *publication);
    publication->kept_targets = kept;
    SendTo(to, publication);
  }
  publication->kept_targets = {};
  if (!route.local.empty()) NotePublish(now_ns());
  DeliverLocally(route, publication, true);
  if (!turns.empty()) DeliverToShares(route, turns, publication);
}

void Loop::PublishSys(std::string_view topic, std::string_view value) {
  Publication publication;
  publication.packet.topic = topic;
  publication.packet.payload = value;
  publication.packet.retain = true;
  constexpr std::uint64_t kNoLimit = std::numeric_limits<std::int64_t>::max();
  hub_->sys.Set(publication.Shared(), {kNoLimit, kNoLimit});
  const Route& route = routes_.Find(topic);
  DeliverEverywhere(route, ChooseTurns(route), &publication);
}

void Loop::SendTo(std::uint16_t loop, Publication* publication) {
  Batch& batch = *outbound_[loop].filling;
  batch.Add(publication);
  if (batch.bytes() >= kBatchBytes) SendBatch(loop);
}

void Loop::Publish(const Burst& burst) {
  const Route& route = routes_.Find(burst.topic);
  if (route.empty()) {
    stats_->Add(Stat::kPublishesUnrouted, burst.packets);
    return;
  }
  for (const std::uint16_t to : route.remote) {
    Batch& batch = *outbound_[to].filling;
    batch.Add(burst);
    if (batch.bytes() >= kBatchBytes) SendBatch(to);
  }
  if (!route.local.empty()) NotePublish(now_ns());
  DeliverLocally(route, burst);
  if (route.shares.empty()) return;
  burst.ForEach(
      [&](Publication& publication) { DeliverToShares(route, ChooseTurns(route), &publication); });
}

void Loop::DeliverLocally(const Route& route, const Burst& burst) {
  for (const Target& target : route.local) {
    if (target.no_local && target.session == burst.from) continue;
    if (target.session->connection != nullptr) {
      target.session->connection->SendBurst(burst, target.subscription_ids);
    }
  }
}

// `to_kept`: also to those that the journal's record of it names.
void Loop::DeliverLocally(const Route& route, Publication* publication, bool to_kept) {
  for (const Target& target : route.local) {
    if (target.no_local && target.session == publication->from) continue;
    const mqtt::Qos qos = std::min(target.qos, publication->packet.qos);
    if (target.record_id != 0 && qos != mqtt::Qos::k0 && !to_kept) continue;
    Deliver(target.session, qos, target.retain_as_published && publication->packet.retain,
            target.subscription_ids, publication);
  }
}

void Loop::Deliver(Session* session, mqtt::Qos qos, bool retain,
                   const std::vector<std::uint32_t>& subscription_ids, Publication* publication,
                   const std::string* share) {
  if (qos == mqtt::Qos::k0) {
    if (session->connection != nullptr) {
      session->connection->SendAtMostOnce(publication, retain, subscription_ids);
    }
    return;
  }
  Delivery delivery;
  delivery.message = publication->Shared();
  delivery.subscription_ids = subscription_ids;
  if (session->is_kept()) {
    delivery.message_id = publication->message_id;
    // What the server has to say to it alone: a retained message, or somebody's presence.
    if (delivery.message_id == 0) {
      delivery.message_id = RecordForOne(*session, qos, retain, subscription_ids, *publication);
    }
  }
  delivery.qos = qos;
  delivery.retain = retain;
  delivery.share = share;
  const bool is_bearable = session->Queue(std::move(delivery), limits_);
  Pump(session);
  if (!is_bearable && session->connection != nullptr) {
    session->connection->CloseSaying(Stat::kClosedSlowConsumer, mqtt::Reason::kQuotaExceeded,
                                     "the session's queue is full");
  }
}

void Loop::Pump(Session* session) {
  Connection* const connection = session->connection;
  while (connection != nullptr && connection->HasRoom()) {
    const std::optional<Delivery> delivery = session->TakeNext(limits_, now_ns());
    if (!delivery) return;
    if (!connection->SendDelivery(*delivery)) session->Discard(delivery->packet_id);
  }
}

void Loop::SendRetained(Session* session, const mqtt::Subscription& subscription,
                        std::uint32_t subscription_id) {
  std::vector<std::uint32_t> ids;
  if (subscription_id != 0) ids.push_back(subscription_id);
  SendRetainedOf(hub_->retained, session, subscription, ids);
  if (subscription.filter.starts_with('$')) SendRetainedOf(hub_->sys, session, subscription, ids);
  AskPresence(*session, subscription, subscription_id);
}

void Loop::SendRetainedOf(const RetainedStore& store, Session* session,
                          const mqtt::Subscription& subscription,
                          const std::vector<std::uint32_t>& subscription_ids) {
  store.Snapshot().MatchFilter(subscription.filter, [&](const RetainedMessage& kept) {
    const MessagePtr& message = kept.message;
    if (message->IsExpired(now_ns())) return;
    Publication publication;
    publication.expires_ns = message->expires_ns();
    publication.packet.topic = message->topic();
    publication.packet.payload = message->payload();
    publication.packet.properties = message->properties();
    publication.packet.qos = message->qos();
    publication.packet.retain = true;
    publication.shared = message;
    Deliver(session, std::min(subscription.qos, message->qos()), true, subscription_ids,
            &publication);
  });
}

void Loop::SendBatch(std::size_t to) {
  if (PushBatches(to)) hub_->loops[to]->Wake();
}

bool Loop::PushBatches(std::size_t to) {
  log_.Submit();  // Whoever gets these may write of them to the journal.
  Outbound& outbound = outbound_[to];
  Channel& channel = hub_->ChannelBetween(index_, to);
  if (!outbound.filling->empty()) {
    outbound.filling->received_ns = now_ns();
    waiting_bytes_ += outbound.filling->bytes();
    outbound.waiting.PushBack(std::move(outbound.filling));
    if (!channel.empty.Pop(&outbound.filling)) outbound.filling = std::make_unique<Batch>();
  }
  bool must_tell = false;
  while (!outbound.waiting.empty()) {
    const std::size_t bytes = outbound.waiting.front()->bytes();
    bool was_empty = false;
    if (!channel.full.Push(outbound.waiting.front(), &was_empty)) {
      // Asked for before the second try, so that the consumer cannot miss it in between.
      if (channel.producer_waits.exchange(true)) break;
      continue;
    }
    outbound.waiting.PopFront();
    waiting_bytes_ -= bytes;
    must_tell = must_tell || was_empty;
  }
  return must_tell;
}

void Loop::SendBatches(bool may_help) {
  for (std::size_t to = 0; to < outbound_.size(); ++to) {
    const Outbound& outbound = outbound_[to];
    if (outbound.filling->empty() && outbound.waiting.empty()) continue;
    const bool is_little = outbound.waiting.empty() && outbound.filling->bytes() <= kHelpBytes;
    if (!PushBatches(to)) continue;
    Loop* const other = hub_->loops[to].get();
    if (!(may_help && is_little && TryHelp(other))) other->Wake();
  }
  log_.Submit();
  const bool journal_lags = JournalLags();
  if (!congested_ && (waiting_bytes_ > kCongestedBytes || journal_lags)) SetCongested(true);
  if (congested_ && waiting_bytes_ < kCongestedBytes / 2 && !journal_lags) SetCongested(false);
}

// False where the other loop must be woken: it does not sleep, or there is more to send than is
// done in passing.
bool Loop::TryHelp(Loop* sleeper) {
  const EventLoop::Borrowed borrowed = sleeper->events_->TryBorrow(now_ns());
  if (!borrowed) return false;
  sleeper->DrainInboxes();
  if (sleeper->dirty_.size() > kHelpConnections) return false;
  sleeper->FinishWork(false);
  return true;
}

void Loop::SetCongested(bool congested) {
  congested_ = congested;
  if (congested || stop_reading_) return;  // Connections pause themselves when they would read.
  for (const auto& connection : connections_) connection->SetReading(true);
}

void Loop::OnIo(std::uint32_t) {
  eventfd_t ignored = 0;
  eventfd_read(wake_.get(), &ignored);
  DrainInboxes();
  ReleaseDurable();
}

// What comes from another loop goes to the subscribers of this one only.
struct Loop::Arrival {
  Loop* loop;
  void operator()(const Burst& burst) const {
    loop->DeliverLocally(loop->routes_.Find(burst.topic), burst);
  }
  void operator()(Publication& publication) const {
    if (!publication.share.empty()) return loop->DeliverTurn(&publication);
    loop->DeliverLocally(loop->routes_.Find(publication.packet.topic), &publication, false);
    loop->DeliverToKept(&publication);
  }
};

void Loop::DrainInboxes() {
  for (std::size_t from = 0; from < hub_->loops.size(); ++from) {
    if (from == index_) continue;
    Channel& channel = hub_->ChannelBetween(from, index_);
    std::unique_ptr<Batch> batch;
    while (channel.full.Pop(&batch)) {
      NotePublish(batch->received_ns);
      batch->ForEach(Arrival{this});
      if (batch->has_mark()) OnMark();
      batch->Clear();
      bool ignored = false;
      if (!channel.empty.Push(batch, &ignored)) batch.reset();
    }
    if (channel.producer_waits.exchange(false)) hub_->loops[from]->Wake();
  }
}

}  // namespace atalaya::cloud_server
