#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "cloud_server/level_trie.h"
#include "mqtt/packet.h"

namespace atalaya::cloud_server {

class Session;

// One subscription as routing sees it. `session` may be followed on the thread of loop `loop` only.
struct Subscriber {
  Session* session = nullptr;
  std::uint16_t loop = 0;
  mqtt::Qos qos = mqtt::Qos::k0;
  bool no_local = false;
  bool retain_as_published = false;
  std::uint32_t subscription_id = 0;  // 0: none.
  std::uint64_t record_id = 0;        // The session's, where its messages are kept in the journal.
};

// What any loop may know of a session that takes part in shared subscriptions.
struct ShareMember {
  ShareMember(std::string id, std::uint16_t of_loop) : client_id(std::move(id)), loop(of_loop) {}

  const std::string client_id;
  const std::uint16_t loop;
  std::atomic<bool> is_connected{false};  // Written by the session's own loop.
};

struct ShareSubscriber {
  Subscriber subscriber;
  std::shared_ptr<const ShareMember> member;
};

// The subscribers that share one filter under one name: each message goes to one of them (5.0,
// 4.8.2).
struct Share {
  std::string filter;  // Whole: "$share/NAME/FILTER".
  std::vector<ShareSubscriber> members;
};

using ShareList = std::shared_ptr<const std::vector<Share>>;
using ShareTrie = LevelTrie<ShareList>;  // By FILTER.

using SubscriberList = std::shared_ptr<const std::vector<Subscriber>>;
using SubscriptionTrie = LevelTrie<SubscriberList>;

// One change: `subscriber` (its session is what counts) is set at `filter`, or taken from it.
struct SubscriptionEdit {
  std::string filter;  // At most kMaxTopicLevels levels; a valid one where it is shared.
  Subscriber subscriber;
  bool remove = false;
  std::shared_ptr<const ShareMember> member;  // Exactly where a shared subscription is set.
};

// All subscriptions of the server: one writer at a time, and immutable snapshots for everybody
// else. Threads: any.
class SubscriptionIndex {
 public:
  // Applies all of `edits`, in order and in few snapshots. When it returns, every reader that asks
  // for version() sees them: so a SUBACK follows it. Blocks for the copy of the paths.
  void Apply(std::span<const SubscriptionEdit> edits);

  // Grows by one with each edit.
  std::uint64_t version() const { return version_.load(std::memory_order_acquire); }

  // What a loop knows. Refresh brings it up to date.
  struct View {
    std::uint64_t version = 0;
    SubscriptionTrie trie;
    ShareTrie shares;
    // The filters, without "$share/NAME/", of the last edits, the newest (edit number `version`)
    // last; older ones are gone.
    std::deque<std::shared_ptr<const std::string>> changes;
  };
  void Refresh(View* view) const;

 private:
  void ApplyOne(const SubscriptionEdit& edit);
  void ApplyShared(const SubscriptionEdit& edit, std::string_view filter);

  mutable std::mutex mutex_;
  SubscriptionTrie trie_;
  ShareTrie shares_;
  std::deque<std::shared_ptr<const std::string>> changes_;
  std::atomic<std::uint64_t> version_{0};
};

// How many edits the caches can catch up with one by one; after more, they look topics up again.
inline constexpr std::size_t kRememberedEdits = 1024;

}  // namespace atalaya::cloud_server
