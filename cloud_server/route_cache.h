#pragma once

#include <cstdint>
#include <memory_resource>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "cloud_server/hash.h"
#include "cloud_server/subscriptions.h"

namespace atalaya::cloud_server {

// A session that a publish goes to, once, however many of its subscriptions match: at the highest
// QoS of them, and with the identifiers of all.
struct Target {
  Session* session = nullptr;
  mqtt::Qos qos = mqtt::Qos::k0;
  bool no_local = false;
  bool retain_as_published = false;
  std::vector<std::uint32_t> subscription_ids;
  std::uint16_t loop = 0;
  std::uint64_t record_id = 0;  // Where its messages are kept in the journal; else 0.
};

// A share that has a matching filter, and whose turn it is.
struct ShareRoute {
  Share share;
  mutable std::size_t turn = 0;
};

// Where the publishes of one topic go, as seen from one loop.
struct Route {
  using allocator_type = std::pmr::polymorphic_allocator<>;
  explicit Route(allocator_type memory = {})
      : local(memory), remote(memory), shares(memory), kept(memory) {}

  std::uint64_t version = 0;  // Of the subscriptions it was last checked against.
  std::pmr::vector<Target> local;
  std::pmr::vector<std::uint16_t> remote;  // Other loops that have a subscriber.
  std::pmr::vector<ShareRoute> shares;     // Of members in any loop.
  std::pmr::vector<Target> kept;           // Of any loop, at QoS 1 or 2: those of the journal.
  bool has_kept = false;                   // There are such, or such members of shares.

  bool empty() const { return local.empty() && remote.empty() && shares.empty(); }
};

// The topics of a loop's late publishes and where they go. An edit of the subscriptions spoils only
// the topics that its filter matches: each is checked against the filters edited since it was last
// used. Threads: the loop's own.
class RouteCache {
 public:
  RouteCache(const SubscriptionIndex* index, std::uint16_t loop) : index_(index), loop_(loop) {}

  // Up to date with every edit that was applied before the call. `topic` is a valid topic name.
  // The route stays until the next Find.
  const Route& Find(std::string_view topic);

  // The same without a place in the cache, for topics that are seldom published to. The route stays
  // until the next FindOnce.
  const Route& FindOnce(std::string_view topic);

  // Whether the topic is cached, and so known to be valid.
  bool Knows(std::string_view topic);

 private:
  struct Hasher {
    using is_transparent = void;
    std::size_t operator()(std::string_view key) const { return HashBytes(key); }
  };

  using Routes = std::pmr::unordered_map<std::pmr::string, Route, Hasher, std::equal_to<>>;

  Route* Lookup(std::string_view topic);  // nullptr where it is not cached.
  bool IsSpoiled(std::string_view topic, const Route& route) const;
  void Compute(std::string_view topic, Route* route) const;
  void ComputeKept(std::string_view topic, Route* route) const;

  const SubscriptionIndex* index_;
  std::uint16_t loop_;
  SubscriptionIndex::View view_;
  Route once_;
  // Routes lie close together: spread over the heap of a server with a million subscriptions, each
  // would cost its publish several page walks.
  std::pmr::unsynchronized_pool_resource memory_;
  Routes routes_{&memory_};
  Routes::value_type* last_ = nullptr;  // Most publishes are to the topic of the one before.
};

// More topics than this and the cache starts anew.
inline constexpr std::size_t kMaxCachedRoutes = 65'536;

}  // namespace atalaya::cloud_server
