#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"

namespace atalaya {

// One open file of a journal. Errors: kLimit where the disk or a quota is full, else kIo.
// Threads: one at a time.
class JournalFile {
 public:
  virtual ~JournalFile() = default;

  // Writes all of `bytes` at `offset`, or fails after some.
  virtual Status Write(std::string_view bytes, std::uint64_t offset) = 0;

  // Returns once what was written, and the file's size, is on stable storage.
  virtual Status Sync() = 0;

  virtual Result<std::uint64_t> Size() = 0;

  // The whole file, at most `limit_bytes` of it.
  virtual Result<std::string> ReadAll(std::uint64_t limit_bytes) = 0;
};

// What a journal does with files, so that a test can let a disk fill, fail or forget. Names of
// files only become durable with SyncFolder. Threads: any.
class JournalFiles {
 public:
  virtual ~JournalFiles() = default;

  virtual Result<std::vector<std::string>> List(const std::filesystem::path& folder) = 0;
  // Makes the file (mode 0600) where it is not there.
  virtual Result<std::unique_ptr<JournalFile>> Open(const std::filesystem::path& path) = 0;
  virtual Status Rename(const std::filesystem::path& from, const std::filesystem::path& to) = 0;
  virtual Status Remove(const std::filesystem::path& path) = 0;
  virtual Status SyncFolder(const std::filesystem::path& folder) = 0;
};

// The machine's own files. One instance, never destroyed.
JournalFiles& SystemJournalFiles();

}  // namespace atalaya
