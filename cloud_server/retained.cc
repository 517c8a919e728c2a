#include "cloud_server/retained.h"

namespace atalaya::cloud_server {

RetainedChange RetainedStore::Set(const MessagePtr& message, const RetainedLimits& limits) {
  RetainedChange change;
  const bool clears = message->payload().empty();
  if (CountLevels(message->topic()) > kMaxTopicLevels) {
    change.refused = !clears;
    return change;
  }
  const std::lock_guard lock(mutex_);
  const RetainedMessage* old = trie_.Find(message->topic());
  if (old == nullptr && clears) return change;
  change.messages = (clears ? 0 : 1) - (old == nullptr ? 0 : 1);
  change.bytes = (clears ? 0 : static_cast<std::int64_t>(message->bytes())) -
                 (old == nullptr ? 0 : static_cast<std::int64_t>(old->message->bytes()));
  const auto after = [](std::uint64_t now, std::int64_t by) {
    return now + static_cast<std::uint64_t>(by);
  };
  if ((change.messages > 0 && after(messages_, change.messages) > limits.messages) ||
      (change.bytes > 0 && after(bytes_, change.bytes) > limits.bytes)) {
    RetainedChange refused;
    refused.refused = true;
    return refused;
  }
  if (old != nullptr && old->message->expires_ns() != 0) {
    expiring_.erase({old->message->expires_ns(), std::string(message->topic())});
  }
  if (!clears && message->expires_ns() != 0) {
    expiring_.emplace(message->expires_ns(), message->topic());
  }
  change.order = next_order_++;
  trie_ = clears ? trie_.Without(message->topic())
                 : trie_.With(message->topic(), {message, change.order});
  messages_ = after(messages_, change.messages);
  bytes_ = after(bytes_, change.bytes);
  return change;
}

RetainedChange RetainedStore::Expire(std::int64_t now_ns) {
  RetainedChange change;
  const std::lock_guard lock(mutex_);
  for (std::size_t i = 0; i < kExpiredAtOnce && !expiring_.empty(); ++i) {
    const auto& [expires_ns, topic] = *expiring_.begin();
    if (expires_ns >= now_ns) break;
    --change.messages;
    change.bytes -= static_cast<std::int64_t>(trie_.Find(topic)->message->bytes());
    trie_ = trie_.Without(topic);
    expiring_.erase(expiring_.begin());
  }
  messages_ += static_cast<std::uint64_t>(change.messages);
  bytes_ += static_cast<std::uint64_t>(change.bytes);
  return change;
}

RetainedChange RetainedStore::Restore(const MessagePtr& message, std::uint64_t order) {
  const std::lock_guard lock(mutex_);
  RetainedChange change;
  change.messages = 1;
  change.bytes = static_cast<std::int64_t>(message->bytes());
  change.order = order;
  trie_ = trie_.With(message->topic(), {message, order});
  if (message->expires_ns() != 0) expiring_.emplace(message->expires_ns(), message->topic());
  ++messages_;
  bytes_ += message->bytes();
  return change;
}

void RetainedStore::SetNextOrder(std::uint64_t order) {
  const std::lock_guard lock(mutex_);
  next_order_ = order;
}

LevelTrie<RetainedMessage> RetainedStore::Snapshot() const {
  const std::lock_guard lock(mutex_);
  return trie_;
}

}  // namespace atalaya::cloud_server
