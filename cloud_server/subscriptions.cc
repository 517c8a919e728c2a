#include "cloud_server/subscriptions.h"

#include <algorithm>

namespace atalaya::cloud_server {
namespace {

// A client that subscribes to very much at once must not keep the others' loops waiting.
constexpr std::size_t kEditsPerSnapshot = 64;

}  // namespace

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
  while (!edits.empty()) {
    const std::span<const SubscriptionEdit> some =
        edits.first(std::min(edits.size(), kEditsPerSnapshot));
    edits = edits.subspan(some.size());
    const std::lock_guard lock(mutex_);
    for (const SubscriptionEdit& edit : some) {
      trie_ = Applied(trie_, edit);
      changes_.push_back(std::make_shared<const std::string>(edit.filter));
      if (changes_.size() > kRememberedEdits) changes_.pop_front();
    }
    version_.fetch_add(some.size(), std::memory_order_release);
  }
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
