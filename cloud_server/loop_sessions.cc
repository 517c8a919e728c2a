// Sessions and their subscriptions: made, resumed, taken over and ended.

#include <algorithm>
#include <random>

#include "base/check.h"
#include "cloud_server/loop.h"
#include "mqtt/topic.h"

namespace atalaya::cloud_server {
namespace {

using telemetry::Stat;

constexpr char kRefusedCode = static_cast<char>(0x80);

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

Session* Loop::Attach(Connection* connection, std::string_view client_id, bool clean,
                      bool* present) {
  auto found = sessions_.find(client_id);
  if (found != sessions_.end()) {
    Session* const session = found->second.get();
    if (Connection* const other = session->connection; other != nullptr) {
      other->Close(Stat::kClosedTakeover);
      Detach(other);
      found = sessions_.find(client_id);  // A session that was not persistent has ended.
    }
  }
  if (clean && found != sessions_.end()) {
    EndSession(found->second.get(), Stat::kSessionsEndedClean);
    found = sessions_.end();
  }
  *present = found != sessions_.end();
  if (!*present) {
    if (hub_->sessions.fetch_add(1, std::memory_order_relaxed) >= limits_.max_sessions) {
      hub_->sessions.fetch_sub(1, std::memory_order_relaxed);
      return nullptr;
    }
    std::string id(client_id);
    auto session = std::make_unique<Session>(id, stats_);
    found = sessions_.emplace(std::move(id), std::move(session)).first;
  } else {
    stats_->Add(Stat::kSessionsOffline, -1);
  }
  stats_->Add(Stat::kSessionsConnected);
  Session* const session = found->second.get();
  session->persistent = !clean;
  session->connection = connection;
  return session;
}

void Loop::Detach(Connection* connection) {
  Session* const session = std::exchange(connection->session, nullptr);
  if (session == nullptr) return;
  session->connection = nullptr;
  stats_->Add(Stat::kSessionsConnected, -1);
  stats_->Add(Stat::kSessionsOffline);
  const MessagePtr will = std::exchange(connection->will, MessagePtr());
  if (will && connection->close_reason() != Stat::kClosedServerStopping) {
    stats_->Add(Stat::kWillsPublished);
    Publication publication;
    publication.packet.topic = will->topic();
    publication.packet.payload = will->payload();
    publication.packet.properties = will->properties();
    publication.packet.qos = will->qos();
    publication.packet.retain = will->retain();
    publication.from = session;
    publication.shared = will;
    Publish(&publication);
  }
  if (!session->persistent) EndSession(session, Stat::kSessionsEndedClean);
}

void Loop::EndSession(Session* session, Stat reason) {
  ATALAYA_CHECK(session->connection == nullptr);
  std::vector<SubscriptionEdit> edits;
  for (const auto& [filter, subscriber] : session->subscriptions) {
    edits.push_back({filter, subscriber, true});
  }
  if (!edits.empty()) hub_->subscriptions.Apply(edits);
  stats_->Add(Stat::kSubscriptions, -static_cast<std::int64_t>(edits.size()));
  stats_->Add(Stat::kSessionsOffline, -1);
  stats_->Add(reason);
  hub_->sessions.fetch_sub(1, std::memory_order_relaxed);
  const std::string id = session->client_id();
  sessions_.erase(id);
}

std::string Loop::Subscribe(Session* session, const mqtt::Subscribe& packet) {
  std::string codes;
  std::vector<SubscriptionEdit> edits;
  for (const mqtt::Subscription& wanted : packet.subscriptions) {
    const bool is_new = session->subscriptions.find(wanted.filter) == session->subscriptions.end();
    const bool full = is_new && session->subscriptions.size() >= limits_.max_session_subscriptions;
    if (full || CountLevels(wanted.filter) > kMaxTopicLevels ||
        mqtt::ParseShared(wanted.filter).is_shared) {
      codes.push_back(kRefusedCode);
      continue;
    }
    Subscriber subscriber;
    subscriber.session = session;
    subscriber.loop = index_;
    subscriber.qos = wanted.qos;
    subscriber.no_local = wanted.no_local;
    subscriber.retain_as_published = wanted.retain_as_published;
    session->subscriptions.insert_or_assign(std::string(wanted.filter), subscriber);
    if (is_new) stats_->Add(Stat::kSubscriptions);
    edits.push_back({std::string(wanted.filter), subscriber, false});
    codes.push_back(static_cast<char>(wanted.qos));
  }
  if (!edits.empty()) hub_->subscriptions.Apply(edits);
  return codes;
}

void Loop::Unsubscribe(Session* session, const mqtt::Unsubscribe& packet) {
  std::vector<SubscriptionEdit> edits;
  for (const std::string_view filter : packet.filters) {
    const auto found = session->subscriptions.find(filter);
    if (found == session->subscriptions.end()) continue;
    edits.push_back({found->first, found->second, true});
    session->subscriptions.erase(found);
  }
  stats_->Add(Stat::kSubscriptions, -static_cast<std::int64_t>(edits.size()));
  if (!edits.empty()) hub_->subscriptions.Apply(edits);
}

}  // namespace atalaya::cloud_server
