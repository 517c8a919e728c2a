#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <set>
#include <string>
#include <utility>

#include "cloud_server/level_trie.h"
#include "cloud_server/message.h"

namespace atalaya::cloud_server {

struct RetainedLimits {
  std::uint64_t messages = 0;
  std::uint64_t bytes = 0;
};

// What one call changed, for the gauges.
struct RetainedChange {
  std::int64_t messages = 0;
  std::int64_t bytes = 0;
  std::uint64_t order = 0;  // Of all changes; 0: nothing was changed.
  bool refused = false;     // Over a limit, or deeper than kMaxTopicLevels: nothing was kept.
};

struct RetainedMessage {
  MessagePtr message;
  std::uint64_t order = 0;  // Of the change that set it.
};

// The last retained message of each topic: one writer at a time, immutable snapshots for readers.
// Threads: any.
class RetainedStore {
 public:
  // Keeps `message`; one with an empty payload clears its topic. At a limit a new topic is refused
  // and what was kept for the topic stays.
  RetainedChange Set(const MessagePtr& message, const RetainedLimits& limits);

  // Clears at most `kExpiredAtOnce` of the messages that have expired by `now_ns`.
  static constexpr std::size_t kExpiredAtOnce = 1000;
  RetainedChange Expire(std::int64_t now_ns);

  // What was kept before a restart, before anything else.
  RetainedChange Restore(const MessagePtr& message, std::uint64_t order);
  void SetNextOrder(std::uint64_t order);

  LevelTrie<RetainedMessage> Snapshot() const;

 private:
  mutable std::mutex mutex_;
  LevelTrie<RetainedMessage> trie_;
  std::uint64_t next_order_ = 1;
  std::set<std::pair<std::int64_t, std::string>> expiring_;  // When, and the topic.
  std::uint64_t messages_ = 0;
  std::uint64_t bytes_ = 0;
};

}  // namespace atalaya::cloud_server
