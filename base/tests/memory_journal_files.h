#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "base/journal_files.h"

namespace atalaya {

// Files in memory, for tests: with faults, and with a crash that keeps what was synced only.
// Threads: any.
class MemoryJournalFiles : public JournalFiles {
 public:
  MemoryJournalFiles();
  ~MemoryJournalFiles() override;

  Result<std::vector<std::string>> List(const std::filesystem::path& folder) override;
  Result<std::unique_ptr<JournalFile>> Open(const std::filesystem::path& path) override;
  Status Rename(const std::filesystem::path& from, const std::filesystem::path& to) override;
  Status Remove(const std::filesystem::path& path) override;
  Status SyncFolder(const std::filesystem::path& folder) override;

  // All files together hold at most this; a write beyond it stores what fits and is refused.
  void SetCapacity(std::uint64_t bytes);
  void FailSyncs();

  // What the disk would hold if the power failed now: of each file what Sync covered, of the names
  // what SyncFolder covered. `survives(i)` says of each 512-byte sector of an unsynced write
  // whether it reached the disk nevertheless.
  using Image = std::map<std::string, std::string>;
  Image AfterPowerFailure(const std::function<bool(std::uint64_t)>& survives);
  void Load(const Image& image);  // These files and no others.

  // Content as it stands, by file name; a change is as if it had always been so.
  Image Contents();
  void SetContent(const std::string& name, std::string content);

 private:
  struct Node {
    std::string now;
    std::string durable;
  };
  class File;
  std::uint64_t Used() const;

  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<Node>> names_;
  std::map<std::string, std::shared_ptr<Node>> durable_names_;
  std::uint64_t capacity_ = UINT64_MAX;
  bool fail_syncs_ = false;
};

}  // namespace atalaya
