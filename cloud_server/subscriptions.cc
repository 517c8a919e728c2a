#include "cloud_server/subscriptions.h"

#include <algorithm>

#include "mqtt/topic.h"

namespace atalaya::cloud_server {
namespace {

// A client that subscribes to very much at once must not keep the others' loops waiting.
constexpr std::size_t kEditsPerSnapshot = 64;

}  // namespace

void SubscriptionIndex::ApplyOne(const SubscriptionEdit& edit) {
  const mqtt::SharedFilter shared = mqtt::ParseShared(edit.filter);
  changes_.push_back(
      std::make_shared<const std::string>(shared.is_shared ? shared.filter : edit.filter));
  if (changes_.size() > kRememberedEdits) changes_.pop_front();
  if (shared.is_shared) return ApplyShared(edit, shared.filter);
  const SubscriberList* found = trie_.Find(edit.filter);
  auto changed = std::make_shared<std::vector<Subscriber>>();
  if (found != nullptr) {
    changed->reserve((*found)->size() + 1);
    std::copy_if((*found)->begin(), (*found)->end(), std::back_inserter(*changed),
                 [&](const Subscriber& s) { return s.session != edit.subscriber.session; });
  }
  if (!edit.remove) changed->push_back(edit.subscriber);
  trie_ =
      changed->empty() ? trie_.Without(edit.filter) : trie_.With(edit.filter, std::move(changed));
}

void SubscriptionIndex::ApplyShared(const SubscriptionEdit& edit, std::string_view filter) {
  const ShareList* found = shares_.Find(filter);
  auto changed = std::make_shared<std::vector<Share>>();
  if (found != nullptr) *changed = **found;
  auto share = std::find_if(changed->begin(), changed->end(),
                            [&](const Share& each) { return each.filter == edit.filter; });
  if (share == changed->end()) share = changed->insert(share, Share{edit.filter, {}});
  std::erase_if(share->members, [&](const ShareSubscriber& each) {
    return each.subscriber.session == edit.subscriber.session;
  });
  if (!edit.remove) share->members.push_back({edit.subscriber, edit.member});
  if (share->members.empty()) changed->erase(share);
  shares_ = changed->empty() ? shares_.Without(filter) : shares_.With(filter, std::move(changed));
}

void SubscriptionIndex::Apply(std::span<const SubscriptionEdit> edits) {
  while (!edits.empty()) {
    const std::span<const SubscriptionEdit> some =
        edits.first(std::min(edits.size(), kEditsPerSnapshot));
    edits = edits.subspan(some.size());
    const std::lock_guard lock(mutex_);
    for (const SubscriptionEdit& edit : some) ApplyOne(edit);
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
  view->shares = shares_;
  view->version = version;
}

}  // namespace atalaya::cloud_server
