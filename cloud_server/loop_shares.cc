// Shared subscriptions: whose turn it is, and what becomes of a turn that its member cannot take.

#include <algorithm>

#include "cloud_server/loop.h"

namespace atalaya::cloud_server {
namespace {

using telemetry::Stat;

// The member whose turn it is: the next that is connected, or else the next. `not_to` is passed by.
const ShareSubscriber* NextMember(const ShareRoute& route, const Session* not_to,
                                  bool only_connected) {
  const std::vector<ShareSubscriber>& members = route.share.members;
  const ShareSubscriber* away = nullptr;
  for (std::size_t i = 0; i < members.size(); ++i) {
    const std::size_t at = (route.turn + i) % members.size();
    const ShareSubscriber& each = members[at];
    if (each.subscriber.session == not_to) continue;
    if (each.member->is_connected.load(std::memory_order_relaxed)) {
      route.turn = at + 1;
      return &each;
    }
    if (away == nullptr) away = &each;
  }
  ++route.turn;
  return only_connected ? nullptr : away;
}

Publication Again(const Delivery& delivery) {
  const MessagePtr& message = delivery.message;
  Publication publication;
  publication.shared = message;
  publication.packet.topic = message->topic();
  publication.packet.payload = message->payload();
  publication.packet.properties = message->properties();
  publication.packet.qos = message->qos();
  publication.packet.retain = message->retain();
  publication.expires_ns = message->expires_ns();
  return publication;
}

}  // namespace

// Whose turn it is in each of the route's shares; nullptr where it has no member.
std::vector<const ShareSubscriber*> Loop::ChooseTurns(const Route& route) {
  std::vector<const ShareSubscriber*> turns;
  for (const ShareRoute& each : route.shares) turns.push_back(NextMember(each, nullptr, false));
  return turns;
}

void Loop::DeliverToShares(const Route& route, std::span<const ShareSubscriber* const> turns,
                           Publication* publication) {
  for (std::size_t i = 0; i < turns.size(); ++i) {
    if (turns[i] != nullptr) DeliverToMember(*turns[i], route.shares[i].share.filter, publication);
  }
}

void Loop::DeliverToMember(const ShareSubscriber& to, const std::string& share,
                           Publication* publication) {
  publication->to_client = to.member->client_id;
  publication->share = share;
  publication->to_record = to.subscriber.record_id;
  if (to.member->loop == index_) {
    DeliverTurn(publication);
  } else {
    SendTo(to.member->loop, publication);
  }
  publication->to_client = publication->share = {};
  publication->to_record = 0;
}

// The member is one of this loop, or was when it was chosen.
void Loop::DeliverTurn(Publication* publication) {
  const auto found = sessions_.find(publication->to_client);
  Session* const session = found == sessions_.end() ? nullptr : found->get();
  if (session != nullptr &&
      (session->is_kept() ? session->record_id : 0) == publication->to_record) {
    const auto subscription = session->subscriptions.find(publication->share);
    if (subscription != session->subscriptions.end()) {
      const Subscriber& subscriber = subscription->second;
      std::vector<std::uint32_t> ids;
      if (subscriber.subscription_id != 0) ids.push_back(subscriber.subscription_id);
      return Deliver(session, std::min(subscriber.qos, publication->packet.qos),
                     subscriber.retain_as_published && publication->packet.retain, ids, publication,
                     &subscription->first);
    }
  }
  // It has left since; the index knows that already.
  for (const ShareRoute& each : routes_.Find(publication->packet.topic).shares) {
    if (each.share.filter != publication->share) continue;
    const ShareSubscriber* const next = NextMember(each, session, false);
    if (next == nullptr) break;
    RecordPassOn(*next, publication->to_record, publication->message_id, publication);
    return DeliverToMember(*next, each.share.filter, publication);
  }
  stats_->Add(Stat::kDroppedSessionEnded);
  if (publication->to_record != 0 && publication->message_id != 0) {
    log_.Write(Removed{publication->to_record, publication->message_id});
  }
}

// Gives a message that `from` has not sent to another member. False where there is none.
bool Loop::PassOn(const Delivery& delivery, const Session* from, bool only_to_connected) {
  for (const ShareRoute& each : routes_.Find(delivery.message->topic()).shares) {
    if (each.share.filter != *delivery.share) continue;
    const ShareSubscriber* const next = NextMember(each, from, only_to_connected);
    if (next == nullptr) return false;
    Publication publication = Again(delivery);
    RecordPassOn(*next, from->is_kept() ? from->record_id : 0, delivery.message_id, &publication);
    DeliverToMember(*next, each.share.filter, &publication);
    return true;
  }
  return false;
}

// The client went away, but its session stays: what it has not been sent goes to those that are
// there. Not while the server stops: they go too, and other loops take nothing in any more.
void Loop::RedistributeAway(Session* session) {
  if (session->member == nullptr || end_by_ns_ != 0) return;
  for (Delivery& delivery : session->TakeShared(nullptr)) {
    if (!PassOn(delivery, session, true)) session->Queue(std::move(delivery), limits_);
  }
}

// The session has left the share, or ends.
void Loop::RedistributeGone(Session* session, std::vector<Delivery> deliveries) {
  for (const Delivery& delivery : deliveries) {
    if (PassOn(delivery, session, false)) continue;
    stats_->Add(Stat::kDroppedSessionEnded);
    if (session->is_kept()) log_.Write(Removed{session->record_id, delivery.message_id});
  }
}

}  // namespace atalaya::cloud_server
