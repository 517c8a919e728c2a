#include "base/journal_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/unique_fd.h"

namespace atalaya {
namespace {

constexpr mode_t kMode = 0600;

tl::unexpected<Error> FailErrno(const std::filesystem::path& path, const char* what, int error) {
  const bool full = error == ENOSPC || error == EDQUOT || error == EFBIG;
  return Fail(full ? ErrorCode::kLimit : ErrorCode::kIo, "{}: cannot {}: {}", path.string(), what,
              ErrnoText(error));
}

class SystemFile : public JournalFile {
 public:
  SystemFile(UniqueFd fd, std::filesystem::path path)
      : fd_(std::move(fd)), path_(std::move(path)) {}

  Status Write(std::string_view bytes, std::uint64_t offset) override {
    while (!bytes.empty()) {
      const ssize_t written =
          pwrite(fd_.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return FailErrno(path_, "write", errno);
      bytes.remove_prefix(static_cast<std::size_t>(written));
      offset += static_cast<std::uint64_t>(written);
    }
    return {};
  }

  Status Sync() override {
    if (fdatasync(fd_.get()) != 0) return FailErrno(path_, "sync", errno);
    return {};
  }

  Result<std::uint64_t> Size() override {
    struct stat info {};
    if (fstat(fd_.get(), &info) != 0) return FailErrno(path_, "read", errno);
    return static_cast<std::uint64_t>(info.st_size);
  }

  Result<std::string> ReadAll(std::uint64_t limit_bytes) override {
    const Result<std::uint64_t> size = Size();
    if (!size) return Forward(size.error());
    std::string content(std::min(limit_bytes, *size), '\0');
    std::size_t at = 0;
    while (at < content.size()) {
      const ssize_t got =
          pread(fd_.get(), content.data() + at, content.size() - at, static_cast<off_t>(at));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return FailErrno(path_, "read", errno);
      if (got == 0) break;
      at += static_cast<std::size_t>(got);
    }
    content.resize(at);
    return content;
  }

 private:
  UniqueFd fd_;
  std::filesystem::path path_;
};

class SystemFiles : public JournalFiles {
 public:
  Result<std::vector<std::string>> List(const std::filesystem::path& folder) override {
    std::vector<std::string> names;
    std::error_code error;
    for (std::filesystem::directory_iterator at(folder, error), end; !error && at != end;
         at.increment(error)) {
      names.push_back(at->path().filename().string());
    }
    if (error) {
      return Fail(ErrorCode::kIo, "{}: cannot list: {}", folder.string(), error.message());
    }
    std::sort(names.begin(), names.end());
    return names;
  }

  Result<std::unique_ptr<JournalFile>> Open(const std::filesystem::path& path) override {
    UniqueFd fd(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, kMode));
    if (!fd) return FailErrno(path, "open", errno);
    return std::make_unique<SystemFile>(std::move(fd), path);
  }

  Status Rename(const std::filesystem::path& from, const std::filesystem::path& to) override {
    if (rename(from.c_str(), to.c_str()) != 0) return FailErrno(from, "rename", errno);
    return {};
  }

  Status Remove(const std::filesystem::path& path) override {
    if (unlink(path.c_str()) != 0) return FailErrno(path, "remove", errno);
    return {};
  }

  Status SyncFolder(const std::filesystem::path& folder) override {
    const UniqueFd fd(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd || fsync(fd.get()) != 0) return FailErrno(folder, "sync the folder", errno);
    return {};
  }
};

}  // namespace

JournalFiles& SystemJournalFiles() {
  static SystemFiles* const files = new SystemFiles;
  return *files;
}

}  // namespace atalaya
