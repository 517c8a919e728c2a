#include "cloud_server/data_dir.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "base/file.h"

namespace atalaya::cloud_server {

Result<UniqueFd> LockDataDir(const std::string& path) {
  std::error_code error;
  const std::filesystem::path parent = std::filesystem::path(path).parent_path();
  if (!parent.empty()) std::filesystem::create_directories(parent, error);
  if (mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
    return Fail(ErrorCode::kIo,
                "cannot make the data folder {}: {}; choose another with --data-dir", path,
                ErrnoText(errno));
  }
  const std::string lock_path = path + "/lock";
  UniqueFd lock(open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!lock) {
    return Fail(ErrorCode::kIo, "cannot open {}: {}; choose another with --data-dir", lock_path,
                ErrnoText(errno));
  }
  if (flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    const Result<std::string> holder = ReadFile(lock_path, 64);
    return Fail(ErrorCode::kBusy,
                "the data folder {} is in use by another cloud_server (pid {}); choose another "
                "with --data-dir",
                path, holder && !holder->empty() ? *holder : "unknown");
  }
  const std::string pid = std::to_string(getpid());
  if (ftruncate(lock.get(), 0) != 0 ||
      pwrite(lock.get(), pid.data(), pid.size(), 0) != static_cast<ssize_t>(pid.size())) {
    return Fail(ErrorCode::kIo, "cannot write {}: {}", lock_path, ErrnoText(errno));
  }
  return lock;
}

}  // namespace atalaya::cloud_server
