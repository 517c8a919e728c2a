#include "cloud_server/route_cache.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "mqtt/topic.h"

namespace atalaya::cloud_server {
namespace {

// Joins a session's further matching subscription into the target it already has.
void Join(const Subscriber& from, Target* into) {
  into->qos = std::max(into->qos, from.qos);
  into->no_local = into->no_local && from.no_local;
  into->retain_as_published = into->retain_as_published || from.retain_as_published;
  if (from.subscription_id != 0) into->subscription_ids.push_back(from.subscription_id);
}

}  // namespace

Route* RouteCache::Lookup(std::string_view topic) {
  if (last_ != nullptr && last_->first == topic) return &last_->second;
  const auto found = routes_.find(topic);
  if (found == routes_.end()) return nullptr;
  last_ = &*found;
  return &last_->second;
}

bool RouteCache::Knows(std::string_view topic) { return Lookup(topic) != nullptr; }

const Route& RouteCache::Find(std::string_view topic) {
  if (index_->version() != view_.version) index_->Refresh(&view_);
  Route* route = Lookup(topic);
  if (route != nullptr) {
    if (route->version != view_.version) {
      if (IsSpoiled(topic, *route)) Compute(topic, route);
      route->version = view_.version;
    }
    return *route;
  }
  if (routes_.size() >= kMaxCachedRoutes) routes_.clear();
  last_ = &*routes_.emplace(std::piecewise_construct, std::forward_as_tuple(topic), std::tuple<>())
                .first;
  route = &last_->second;
  route->version = view_.version;
  Compute(topic, route);
  return *route;
}

const Route& RouteCache::FindOnce(std::string_view topic) {
  if (index_->version() != view_.version) index_->Refresh(&view_);
  Compute(topic, &once_);
  return once_;
}

bool RouteCache::IsSpoiled(std::string_view topic, const Route& route) const {
  const std::uint64_t behind = view_.version - route.version;
  if (behind > view_.changes.size()) return true;
  return std::any_of(view_.changes.end() - static_cast<std::ptrdiff_t>(behind), view_.changes.end(),
                     [&](const auto& filter) { return mqtt::TopicMatches(*filter, topic); });
}

void RouteCache::Compute(std::string_view topic, Route* route) const {
  route->local.clear();
  route->remote.clear();
  route->shares.clear();
  view_.shares.MatchTopic(topic, [&](const ShareList& list) {
    for (const Share& share : *list) route->shares.push_back({share});
  });
  ComputeKept(topic, route);
  std::unordered_map<const Session*, std::size_t> seen;
  view_.trie.MatchTopic(topic, [&](const SubscriberList& list) {
    for (const Subscriber& subscriber : *list) {
      if (subscriber.loop != loop_) {
        if (std::find(route->remote.begin(), route->remote.end(), subscriber.loop) ==
            route->remote.end()) {
          route->remote.push_back(subscriber.loop);
        }
        continue;
      }
      const auto [at, is_new] = seen.emplace(subscriber.session, route->local.size());
      if (!is_new) {
        Join(subscriber, &route->local[at->second]);
        continue;
      }
      Target target{subscriber.session,
                    subscriber.qos,
                    subscriber.no_local,
                    subscriber.retain_as_published,
                    {},
                    subscriber.loop,
                    subscriber.record_id};
      if (subscriber.subscription_id != 0) {
        target.subscription_ids.push_back(subscriber.subscription_id);
      }
      route->local.push_back(std::move(target));
    }
  });
}

// The kept sessions of all loops, each once: whoever publishes records them.
void RouteCache::ComputeKept(std::string_view topic, Route* route) const {
  route->kept.clear();
  std::unordered_map<std::uint64_t, std::size_t> seen;
  view_.trie.MatchTopic(topic, [&](const SubscriberList& list) {
    for (const Subscriber& subscriber : *list) {
      if (subscriber.record_id == 0) continue;
      const auto [at, is_new] = seen.emplace(subscriber.record_id, route->kept.size());
      if (is_new) {
        route->kept.push_back({subscriber.session,
                               subscriber.qos,
                               subscriber.no_local,
                               subscriber.retain_as_published,
                               {},
                               subscriber.loop,
                               subscriber.record_id});
        if (subscriber.subscription_id != 0) {
          route->kept.back().subscription_ids.push_back(subscriber.subscription_id);
        }
      } else {
        Join(subscriber, &route->kept[at->second]);
      }
    }
  });
  std::erase_if(route->kept, [](const Target& target) { return target.qos == mqtt::Qos::k0; });
  route->has_kept = !route->kept.empty();
  for (const ShareRoute& each : route->shares) {
    for (const ShareSubscriber& member : each.share.members) {
      route->has_kept = route->has_kept || member.subscriber.record_id != 0;
    }
  }
}

}  // namespace atalaya::cloud_server
