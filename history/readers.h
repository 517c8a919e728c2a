#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "history/database.h"

namespace atalaya::history {

inline constexpr std::size_t kMaxIdleReaders = 8;  // Connections kept open for the next queries.

// Connections that queries read through, each used by one thread at a time. Threads: any.
class Readers {
 public:
  explicit Readers(std::string path) : path_(std::move(path)) {}

  // Runs `read` with a connection to the file of `generation`; older ones are closed. Fails as
  // Database::Open or as `read` does.
  Status With(std::uint64_t generation, const std::function<Status(Database&)>& read);

 private:
  const std::string path_;
  std::mutex mutex_;
  std::vector<std::pair<std::uint64_t, Database>> idle_;
};

}  // namespace atalaya::history
