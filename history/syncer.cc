#include "history/syncer.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <iterator>
#include <utility>

#include "base/log.h"
#include "base/sqlite.h"
#include "base/unique_fd.h"

namespace atalaya::history {
namespace {

Status Checkpoint(const std::string& path) {
  // A connection of its own: PASSIVE never makes a writer or a reader wait.
  Result<SqliteDatabase> database = SqliteDatabase::Open(path, SqliteSync::kNormal, {});
  if (!database && database.error().code != ErrorCode::kVersion) return Forward(database.error());
  if (!database) return {};
  Result<SqliteStatement> checkpoint = database->Prepare("PRAGMA wal_checkpoint(PASSIVE)");
  return checkpoint ? checkpoint->Run() : Forward(checkpoint.error());
}

}  // namespace

Syncer::Syncer(std::string path) : path_(std::move(path)), thread_([this] { Run(); }) {}

Syncer::~Syncer() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void Syncer::Written() {
  {
    const std::lock_guard lock(mutex_);
    if (dirty_) return;
    dirty_ = true;
  }
  wake_.notify_one();
}

void Syncer::WhenSynced(std::function<void()> done) {
  {
    const std::lock_guard lock(mutex_);
    waiting_.push_back(std::move(done));
    dirty_ = true;
  }
  wake_.notify_one();
}

void Syncer::Run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    wake_.wait(lock, [this] { return dirty_ || stopping_; });
    // What is written meanwhile shares the sync; a stop does not wait.
    const auto awaited = [this] { return stopping_ || (working_ && !waiting_.empty()); };
    wake_.wait_for(lock, std::chrono::milliseconds(kSyncIntervalMs / 2), awaited);
    wake_.wait_for(lock, std::chrono::milliseconds(kAwaitedSyncMs), [this] { return stopping_; });
    dirty_ = false;
    std::vector<std::function<void()>> covered = std::exchange(waiting_, {});
    lock.unlock();
    if (SyncLog()) {
      for (const auto& done : covered) done();
      covered.clear();
    }
    lock.lock();
    waiting_.insert(waiting_.begin(), std::make_move_iterator(covered.begin()),
                    std::make_move_iterator(covered.end()));
    if (!waiting_.empty()) dirty_ = true;
  }
}

bool Syncer::SyncLog() {
  // Opened anew each time, because the file may have been set aside. Only the log may be opened so:
  // closing a descriptor of the database itself would drop SQLite's locks on it.
  const std::string log = path_ + "-wal";
  const UniqueFd fd(open(log.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd && errno == ENOENT) return true;  // All of it is in the file.
  struct stat info {};
  Status done;
  if (!fd || fstat(fd.get(), &info) != 0 || fdatasync(fd.get()) != 0) {
    done = Fail(ErrorCode::kIo, "{}: cannot sync: {}", log, ErrnoText(errno));
  } else if (info.st_size > kCheckpointLogBytes) {
    done = Checkpoint(path_);
  }
  if (!done && working_) LogWarning("history: {}; will go on trying", done.error().message);
  if (done && !working_) LogInfo("history: {}: synced again", path_);
  working_ = done.has_value();
  return working_;
}

}  // namespace atalaya::history
