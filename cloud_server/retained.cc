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
  const MessagePtr* old = trie_.Find(message->topic());
  if (old == nullptr && clears) return change;
  change.messages = (clears ? 0 : 1) - (old == nullptr ? 0 : 1);
  change.bytes = (clears ? 0 : static_cast<std::int64_t>(message->bytes())) -
                 (old == nullptr ? 0 : static_cast<std::int64_t>((*old)->bytes()));
  const auto after = [](std::uint64_t now, std::int64_t by) {
    return now + static_cast<std::uint64_t>(by);
  };
  if ((change.messages > 0 && after(messages_, change.messages) > limits.messages) ||
      (change.bytes > 0 && after(bytes_, change.bytes) > limits.bytes)) {
    RetainedChange refused;
    refused.refused = true;
    return refused;
  }
  trie_ = clears ? trie_.Without(message->topic()) : trie_.With(message->topic(), message);
  messages_ = after(messages_, change.messages);
  bytes_ = after(bytes_, change.bytes);
  return change;
}

LevelTrie<MessagePtr> RetainedStore::Snapshot() const {
  const std::lock_guard lock(mutex_);
  return trie_;
}

}  // namespace atalaya::cloud_server
