#include "alertd/collect/metadata_board.h"

#include <utility>

namespace atalaya::alertd {
namespace {

std::size_t BytesOf(const telemetry::FamilyMetadata& family) {
  return family.name.size() + family.help.size() + family.unit.size();
}

}  // namespace

void MetadataBoard::Put(TargetBoard::Id target, std::vector<telemetry::FamilyMetadata> families) {
  const std::lock_guard lock(mutex_);
  Release(target);
  std::vector<Users::iterator> said;
  for (telemetry::FamilyMetadata& family : families) {
    auto known = users_.find(family);
    if (known == users_.end()) {
      const std::size_t bytes = BytesOf(family);
      if (users_.size() >= kMaxMetadata || bytes_ + bytes > kMaxMetadataBytes) continue;
      bytes_ += bytes;
      known = users_.emplace(std::move(family), 0).first;
    }
    ++known->second;
    said.push_back(known);
  }
  if (!said.empty()) said_.emplace(target, std::move(said));
}

void MetadataBoard::Remove(TargetBoard::Id target) {
  const std::lock_guard lock(mutex_);
  Release(target);
}

void MetadataBoard::Release(TargetBoard::Id target) {
  const auto found = said_.find(target);
  if (found == said_.end()) return;
  for (const Users::iterator& known : found->second) {
    if (--known->second > 0) continue;
    bytes_ -= BytesOf(known->first);
    users_.erase(known);
  }
  said_.erase(found);
}

std::vector<telemetry::FamilyMetadata> MetadataBoard::Snapshot() const {
  const std::lock_guard lock(mutex_);
  std::vector<telemetry::FamilyMetadata> all;
  all.reserve(users_.size());
  for (const auto& [family, users] : users_) all.push_back(family);
  return all;
}

}  // namespace atalaya::alertd
