#include "cloud_server/subscriptions.h"

#include <algorithm>

namespace atalaya::cloud_server {

SubscriptionTrie SubscriptionIndex::Applied(const SubscriptionTrie& trie,
                                            const SubscriptionEdit& edit) const {
  const SubscriberList* found = trie.Find(edit.filter);
  auto changed = std::make_shared<std::vector<Subscriber>>();
  if (found != nullptr) {
    changed->reserve((*found)->size() + 1);
    std::copy_if((*found)->begin(), (*found)->end(), std::back_inserter(*changed),
                 [&](const Subscriber& s) { return s.session != edit.subscriber.session; });
  }
  if (!edit.remove) changed->push_back(edit.subscriber);
  if (changed->empty()) return trie.Without(edit.filter);
  return trie.With(edit.filter, std::move(changed));
}

void SubscriptionIndex::Apply(std::span<const SubscriptionEdit> edits) {
  const std::lock_guard lock(mutex_);
  for (const SubscriptionEdit& edit : edits) {
    trie_ = Applied(trie_, edit);
    changes_.push_back(std::make_shared<const std::string>(edit.filter));
    if (changes_.size() > kRememberedEdits) changes_.pop_front();
  }
  version_.fetch_add(edits.size(), std::memory_order_release);
}

void SubscriptionIndex::Refresh(View* view) const {
  const std::lock_guard lock(mutex_);
  const std::uint64_t version = version_.load(std::memory_order_relaxed);
  const std::uint64_t behind = version - view->version;
  if (behind >= changes_.size()) {
    view->changes = changes_;
  } else {
    view->changes.insert(view->changes.end(), changes_.end() - static_cast<std::ptrdiff_t>(behind),
                         changes_.end());
    while (view->changes.size() > kRememberedEdits) view->changes.pop_front();
  }
  view->trie = trie_;
  view->version = version;
}

}  // namespace atalaya::cloud_server
