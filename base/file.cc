#include "base/file.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <cerrno>

#include "base/log.h"
#include "base/unique_fd.h"

namespace atalaya {
namespace {

Status WriteAll(int fd, std::string_view content, const std::filesystem::path& path) {
  while (!content.empty()) {
    const ssize_t written = write(fd, content.data(), content.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0)
      return Fail(ErrorCode::kIo, "{}: cannot write: {}", path.string(), ErrnoText(errno));
    content.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

Status SyncFolder(const std::filesystem::path& folder) {
  const UniqueFd fd(
      open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd || fsync(fd.get()) != 0) {
    return Fail(ErrorCode::kIo, "{}: cannot sync the folder: {}", folder.string(),
                ErrnoText(errno));
  }
  return {};
}

}  // namespace

Result<std::string> ReadFile(const std::filesystem::path& path, std::size_t limit_bytes) {
  const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) {
    return Fail(errno == ENOENT ? ErrorCode::kNotFound : ErrorCode::kIo, "{}: cannot open: {}",
                path.string(), ErrnoText(errno));
  }
  std::string content;
  char buffer[65536];
  while (true) {
    const ssize_t got = read(fd.get(), buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0)
      return Fail(ErrorCode::kIo, "{}: cannot read: {}", path.string(), ErrnoText(errno));
    if (got == 0) return content;
    if (content.size() + static_cast<std::size_t>(got) > limit_bytes) {
      return Fail(ErrorCode::kLimit, "{}: holds more than {} bytes", path.string(), limit_bytes);
    }
    content.append(buffer, static_cast<std::size_t>(got));
  }
}

Status WriteFileAtomic(const std::filesystem::path& path, std::string_view content, unsigned mode) {
  std::string beside = path.string() + ".XXXXXX";
  const UniqueFd fd(mkostemp(beside.data(), O_CLOEXEC));
  if (!fd) return Fail(ErrorCode::kIo, "{}: cannot create: {}", beside, ErrnoText(errno));
  Status done = WriteAll(fd.get(), content, path);
  if (done && (fchmod(fd.get(), mode) != 0 || fsync(fd.get()) != 0 ||
               rename(beside.c_str(), path.c_str()) != 0)) {
    done = Fail(ErrorCode::kIo, "{}: cannot write: {}", path.string(), ErrnoText(errno));
  }
  if (!done) {
    unlink(beside.c_str());
    return done;
  }
  return SyncFolder(path.parent_path());
}

Status CheckSecretFile(const std::filesystem::path& path) {
  struct stat status {};
  if (stat(path.c_str(), &status) != 0) {
    return Fail(errno == ENOENT ? ErrorCode::kNotFound : ErrorCode::kIo, "{}: cannot open: {}",
                path.string(), ErrnoText(errno));
  }
  if ((status.st_mode & (S_IROTH | S_IWOTH | S_IWGRP)) != 0) {
    return Fail(ErrorCode::kRefused,
                "{}: holds a secret, and its mode {:04o} lets others read or write it (chmod 0600)",
                path.string(), status.st_mode & 07777u);
  }
  return {};
}

void RaiseFileLimit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max) return;
  limit.rlim_cur = limit.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
    LogWarning("cannot raise the limit of open files: {}", ErrnoText(errno));
}

}  // namespace atalaya
