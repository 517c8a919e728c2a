// Sessions and their subscriptions: made, resumed, taken over and ended.

#include <algorithm>
#include <random>

#include "base/check.h"
#include "base/clock.h"
#include "cloud_server/loop.h"
#include "cloud_server/message_properties.h"
#include "mqtt/topic.h"

namespace atalaya::cloud_server {
namespace {

using telemetry::Stat;

Stat CounterOf(mqtt::Reason refused_subscribe) {
  if (refused_subscribe == mqtt::Reason::kQuotaExceeded) return Stat::kSubscribeRefusedQuota;
  if (refused_subscribe == mqtt::Reason::kNotAuthorized) {
    return Stat::kSubscribeRefusedNotAuthorized;
  }
  return Stat::kSubscribeRefusedFilter;
}

const char* WordOf(Stat reason) {
  return telemetry::kStats[static_cast<std::size_t>(reason)].label_value.data();
}

}  // namespace

std::uint16_t Loop::OwnerOf(std::string_view client_id) const {
  return static_cast<std::uint16_t>(HashBytes(client_id) % hub_->loops.size());
}

std::string Loop::InventClientId() const {
  std::random_device random;
  while (true) {
    std::string id = fmt::format("auto-{:08x}{:08x}{:08x}", random(), random(), random());
    if (OwnerOf(id) == index_) return id;
  }
}

Session* Loop::Attach(Connection* connection, const AttachRequest& request, bool* present) {
  auto found = sessions_.find(request.client_id);
  bool took_over = false;
  if (found != sessions_.end()) {
    Session* const session = found->get();
    if (Connection* const other = session->connection; other != nullptr) {
      other->CloseSaying(Stat::kClosedTakeover, mqtt::Reason::kSessionTakenOver);
      Detach(other);
      took_over = true;
      found = sessions_.find(request.client_id);  // One that does not outlive it has ended.
    } else if (session->expires_ns != 0 && session->expires_ns <= now_ns()) {
      EndSession(session, Stat::kSessionsEndedExpired);
      found = sessions_.end();
    }
  }
  if (request.clean_start && found != sessions_.end()) {
    EndSession(found->get(), Stat::kSessionsEndedClean);
    found = sessions_.end();
  }
  *present = found != sessions_.end();
  if (!*present) {
    if (hub_->sessions.fetch_add(1, std::memory_order_relaxed) >= limits_.max_sessions) {
      hub_->sessions.fetch_sub(1, std::memory_order_relaxed);
      return nullptr;
    }
    found =
        sessions_.insert(std::make_unique<Session>(std::string(request.client_id), stats_)).first;
  } else {
    stats_->Add(Stat::kSessionsOffline, -1);
  }
  stats_->Add(Stat::kSessionsConnected);
  Session* const session = found->get();
  session_wheel_.Cancel(session);
  session->connection = connection;
  if (session->member != nullptr) session->member->is_connected = true;
  session->expiry_s = request.expiry_s;
  session->expires_ns = 0;
  session->receive_maximum = request.receive_maximum;
  session->will = request.will;  // One that still waits is not published (MQTT-3.1.3-9).
  session->will_delay_s = request.will_delay_s;
  session->will_due_ns = 0;
  if (request.login->user.empty()) {
    session->rights.reset();
  } else {
    session->rights = std::make_unique<Rights>();
    session->rights->user = request.login->user;
    session->rights->by_certificate = request.login->by_certificate;
  }
  session->since_ms = SystemClock().NowMs();
  session->since_reason = took_over ? "takeover" : "connect";
  NoteOpened(session);
  return session;
}

void Loop::Detach(Connection* connection) {
  Session* const session = std::exchange(connection->session, nullptr);
  if (session == nullptr) return;
  session->connection = nullptr;
  if (session->member != nullptr) session->member->is_connected = false;
  stats_->Add(Stat::kSessionsConnected, -1);
  stats_->Add(Stat::kSessionsOffline);
  if (connection->close_reason() == Stat::kClosedServerStopping) session->will = MessagePtr();
  session->since_ms = SystemClock().NowMs();
  session->since_reason = WordOf(connection->close_reason());
  const bool is_taken_over = connection->close_reason() == Stat::kClosedTakeover;
  // One that is taken over stays online; and who stops has other things to say.
  if (!is_taken_over && connection->close_reason() != Stat::kClosedServerStopping) {
    TellPresence(*session);
  }
  if (session->will && session->will_delay_s == 0) PublishWill(session);
  if (session->expiry_s == 0) return EndSession(session, Stat::kSessionsEndedClean);
  const std::int64_t now = now_ns();
  if (session->will) session->will_due_ns = now + session->will_delay_s * kNsPerSecond;
  if (session->expiry_s != kNeverExpires) {
    session->expires_ns = now + session->expiry_s * kNsPerSecond;
  }
  ScheduleSession(session);
  NoteClosed(*session);
  RedistributeAway(session);
}

void Loop::ScheduleSession(Session* session) {
  std::int64_t due_ns = session->expires_ns;
  if (session->will_due_ns != 0 && (due_ns == 0 || session->will_due_ns < due_ns)) {
    due_ns = session->will_due_ns;
  }
  if (due_ns != 0) session_wheel_.Schedule(session, TickOf(due_ns) + 1);
}

void Loop::OnSessionDue(Session* session) {
  if (session->expires_ns != 0 && session->expires_ns <= now_ns()) {
    return EndSession(session, Stat::kSessionsEndedExpired);
  }
  if (session->will_due_ns != 0 && session->will_due_ns <= now_ns()) PublishWill(session);
  ScheduleSession(session);
}

void Loop::PublishWill(Session* session) {
  const MessagePtr will = std::exchange(session->will, MessagePtr());
  session->will_due_ns = 0;
  if (!will) return;
  if (NeedsLook(will->topic()) && !MayPublish(session, will->topic(), will->retain()).allowed()) {
    stats_->Add(Stat::kPublishRefusedNotAuthorized);  // A reload has taken the right away.
    return;
  }
  stats_->Add(Stat::kWillsPublished);
  std::string scratch;
  const PublisherProperties own = TakePublisherProperties(will->properties(), &scratch);
  Publication publication;
  publication.packet.topic = will->topic();
  publication.packet.payload = will->payload();
  publication.packet.properties = own.passed_on;
  publication.packet.qos = will->qos();
  publication.packet.retain = will->retain();
  publication.from = session;
  publication.from_record = session->record_id;
  publication.is_will = true;
  if (own.expiry_s) publication.expires_ns = now_ns() + *own.expiry_s * kNsPerSecond;
  Publish(&publication);
}

void Loop::EndSession(Session* session, Stat reason) {
  ATALAYA_CHECK(session->connection == nullptr);
  PublishWill(session);  // Its delay ends with the session at the latest.
  session_wheel_.Cancel(session);
  std::vector<SubscriptionEdit> edits;
  for (const auto& [filter, subscriber] : session->subscriptions) {
    edits.push_back({filter, subscriber, true, nullptr});
  }
  if (!edits.empty()) hub_->subscriptions.Apply(edits);
  if (session->member != nullptr) RedistributeGone(session, session->TakeShared(nullptr));
  NoteEnded(*session);
  stats_->Add(Stat::kSubscriptions, -static_cast<std::int64_t>(edits.size()));
  stats_->Add(Stat::kSessionsOffline, -1);
  stats_->Add(reason);
  hub_->sessions.fetch_sub(1, std::memory_order_relaxed);
  sessions_.erase(sessions_.find(session->client_id()));
}

// Why `wanted` cannot be had, or kSuccess.
mqtt::Reason Loop::WhyRefused(const Session& session, const mqtt::Subscription& wanted,
                              bool is_new) const {
  if (is_new && session.subscriptions.size() >= limits_.max_session_subscriptions) {
    return mqtt::Reason::kQuotaExceeded;
  }
  const mqtt::SharedFilter shared = mqtt::ParseShared(wanted.filter);
  if (CountLevels(wanted.filter) > kMaxTopicLevels || (shared.is_shared && !shared.is_valid)) {
    return mqtt::Reason::kTopicFilterInvalid;
  }
  return access_->MaySubscribe({session.user(), session.client_id()}, wanted.filter).reason;
}

std::vector<SubscribeOutcome> Loop::Subscribe(Session* session, const mqtt::Subscribe& packet) {
  std::vector<SubscribeOutcome> outcomes;
  std::vector<SubscriptionEdit> edits;
  const std::uint32_t id = packet.properties.Integer(mqtt::Property::kSubscriptionId).value_or(0);
  for (const mqtt::Subscription& wanted : packet.subscriptions) {
    SubscribeOutcome& outcome = outcomes.emplace_back();
    outcome.is_new = session->subscriptions.find(wanted.filter) == session->subscriptions.end();
    outcome.reason = WhyRefused(*session, wanted, outcome.is_new);
    if (outcome.reason != mqtt::Reason::kSuccess) {
      stats_->Add(CounterOf(outcome.reason));
      continue;
    }
    outcome.granted = wanted.qos;
    Subscriber subscriber;
    subscriber.qos = wanted.qos;
    subscriber.no_local = wanted.no_local;
    subscriber.retain_as_published = wanted.retain_as_published;
    subscriber.subscription_id = id;
    edits.push_back(AddSubscription(session, wanted.filter, subscriber));
  }
  NoteSubscribed(*session, edits);
  if (!edits.empty()) hub_->subscriptions.Apply(edits);
  return outcomes;
}

// `subscriber` says what was asked for; the edit is to be applied.
SubscriptionEdit Loop::AddSubscription(Session* session, std::string_view filter,
                                       Subscriber subscriber) {
  subscriber.session = session;
  subscriber.loop = index_;
  subscriber.record_id = session->is_kept() ? session->record_id : 0;
  const bool is_new =
      session->subscriptions.insert_or_assign(std::string(filter), subscriber).second;
  if (is_new) stats_->Add(Stat::kSubscriptions);
  if (mqtt::ParseShared(filter).is_shared && session->member == nullptr) {
    session->member = std::make_shared<ShareMember>(session->client_id(), index_);
    session->member->is_connected = session->connection != nullptr;
  }
  return {std::string(filter), subscriber, false, session->member};
}

std::vector<bool> Loop::Unsubscribe(Session* session, const mqtt::Unsubscribe& packet) {
  std::vector<bool> existed;
  std::vector<SubscriptionEdit> edits;
  std::vector<Delivery> unsent;  // Of shares that it leaves; they point to the names in `left`.
  std::vector<decltype(session->subscriptions)::node_type> left;
  for (const std::string_view filter : packet.filters) {
    const auto found = session->subscriptions.find(filter);
    existed.push_back(found != session->subscriptions.end());
    if (!existed.back()) continue;
    edits.push_back({found->first, found->second, true, nullptr});
    for (Delivery& delivery : session->TakeShared(&found->first)) unsent.push_back(delivery);
    left.push_back(session->subscriptions.extract(found));
  }
  NoteUnsubscribed(*session, edits);
  stats_->Add(Stat::kSubscriptions, -static_cast<std::int64_t>(edits.size()));
  if (!edits.empty()) hub_->subscriptions.Apply(edits);
  RedistributeGone(session, std::move(unsent));
  return existed;
}

}  // namespace atalaya::cloud_server
