#pragma once

#include <cstddef>
#include <map>
#include <mutex>
#include <vector>

#include "alertd/collect/target_board.h"
#include "telemetry/text_scanner.h"

namespace atalaya::alertd {

inline constexpr std::size_t kMaxMetadata = 20'000;         // Of all targets; each text once.
inline constexpr std::size_t kMaxMetadataBytes = 8u << 20;  // Of their names, help and units.

// What the pages of all targets say of their families. Each different type, help and unit of a
// name is kept once, for as long as a target says it. What finds no room is left out until its
// target says something new. Threads: any.
class MetadataBoard {
 public:
  // In the place of what the target said before.
  void Put(TargetBoard::Id target, std::vector<telemetry::FamilyMetadata> families);
  void Remove(TargetBoard::Id target);

  std::vector<telemetry::FamilyMetadata> Snapshot() const;  // By name, type, help and unit.

 private:
  using Users = std::map<telemetry::FamilyMetadata, std::size_t>;  // How many targets say it.

  void Release(TargetBoard::Id target);

  mutable std::mutex mutex_;
  Users users_;
  std::size_t bytes_ = 0;
  std::map<TargetBoard::Id, std::vector<Users::iterator>> said_;
};

}  // namespace atalaya::alertd
