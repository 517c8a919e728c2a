// Who is told that a client has come or gone.
//
// Everything about the sessions of one loop goes to another by posts, in the order it happened: so
// a subscriber never gets an old status behind a newer one.

#include <algorithm>

#include "base/clock.h"
#include "cloud_server/loop.h"
#include "cloud_server/own_topics.h"
#include "mqtt/client_level.h"
#include "mqtt/topic.h"

namespace atalaya::cloud_server {

void Loop::TellPresence(const Session& session) {
  // Mostly nobody listens; a status to no one would cost as much as the rest of a connect.
  const std::string topic =
      fmt::format("{}/{}", kPresenceLevel, mqtt::EncodeClientId(session.client_id()));
  if (routes_.FindOnce(topic).empty()) return;
  const PresenceStatus status = StatusOf(session);
  const Route& route = routes_.FindOnce(status.topic);
  for (const std::uint16_t to : route.remote) {
    Loop* const target = hub_->loops[to].get();
    target->events_->Post([target, status] { target->DeliverPresence(status); });
  }
  DeliverPresence(status);
  Publication publication = PublicationOf(status);
  DeliverToShares(route, ChooseTurns(route), &publication);
}

void Loop::DeliverPresence(const PresenceStatus& status) {
  Publication publication = PublicationOf(status);
  DeliverLocally(routes_.FindOnce(status.topic), &publication, true);
}

PresenceStatus Loop::StatusOf(const Session& session) {
  return MakePresenceStatus(session.client_id(), session.connection != nullptr, session.since_ms,
                            session.since_reason);
}

Publication Loop::PublicationOf(const PresenceStatus& status) {
  Publication publication;
  publication.packet.topic = status.topic;
  publication.packet.payload = status.payload;
  publication.packet.qos = mqtt::Qos::k1;
  publication.packet.retain = true;
  return publication;
}

void Loop::AskPresence(const Session& session, const mqtt::Subscription& subscription,
                       std::uint32_t subscription_id) {
  if (!IsUnder(subscription.filter, kPresenceLevel)) return;
  const PresenceQuestion question{index_, session.client_id(), std::string(subscription.filter),
                                  subscription.qos, subscription_id};
  const std::string only = OnlyClientOf(subscription.filter);
  for (const auto& loop : hub_->loops) {
    if (!only.empty() && loop->index() != OwnerOf(only)) continue;
    Loop* const target = loop.get();
    target->events_->Post([target, question, only] { target->AnswerPresence(question, only, {}); });
  }
}

void Loop::AnswerPresence(const PresenceQuestion& question, const std::string& only,
                          SessionScan scan) {
  std::vector<PresenceStatus> statuses;
  bool more = false;
  if (!only.empty()) {
    const auto found = sessions_.find(only);
    if (found != sessions_.end()) statuses.push_back(StatusOf(**found));
  } else {
    more = ScanSome(&scan, [&](Session* session) { statuses.push_back(StatusOf(*session)); });
  }
  std::erase_if(statuses, [&](const PresenceStatus& status) {
    return !mqtt::TopicMatches(question.filter, status.topic);
  });
  Loop* const asker = hub_->loops[question.asker].get();
  if (!statuses.empty()) {
    asker->events_->Post([asker, question, statuses = std::move(statuses)] {
      asker->ReceivePresence(question, statuses);
    });
  }
  if (more) {
    events_->Post([this, question, only, scan] { AnswerPresence(question, only, scan); });
  }
}

void Loop::ReceivePresence(const PresenceQuestion& question,
                           const std::vector<PresenceStatus>& statuses) {
  const auto found = sessions_.find(question.client_id);
  if (found == sessions_.end()) return;
  Session* const session = found->get();
  if (session->subscriptions.find(question.filter) == session->subscriptions.end()) return;
  std::vector<std::uint32_t> ids;
  if (question.subscription_id != 0) ids.push_back(question.subscription_id);
  for (const PresenceStatus& status : statuses) {
    Publication publication = PublicationOf(status);
    Deliver(session, std::min(question.qos, mqtt::Qos::k1), true, ids, &publication);
  }
}

}  // namespace atalaya::cloud_server
