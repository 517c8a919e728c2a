#include "history/readers.h"

#include <optional>

namespace atalaya::history {

Status Readers::With(std::uint64_t generation, const std::function<Status(Database&)>& read) {
  std::optional<Database> database;
  {
    const std::lock_guard lock(mutex_);
    std::erase_if(idle_, [&](const auto& entry) { return entry.first != generation; });
    if (!idle_.empty()) {
      database.emplace(std::move(idle_.back().second));
      idle_.pop_back();
    }
  }
  if (!database) {
    Result<Database> opened = Database::Open(path_);
    if (!opened) return Forward(opened.error());
    database.emplace(std::move(*opened));
  }
  Status done = read(*database);
  const std::lock_guard lock(mutex_);
  if (done && idle_.size() < kMaxIdleReaders) {
    idle_.emplace_back(generation, std::move(*database));
  }
  return done;
}

}  // namespace atalaya::history
