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
#include "history/store.h"

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

// Its length; 0 where it is not there, because all of it is in the file.
Result<std::int64_t> SyncLog(const std::string& log) {
  // Opened anew each time, because the file may have been set aside. Only the log may be opened so:
  // closing a descriptor of the database itself would drop SQLite's locks on it.
  const UniqueFd fd(open(log.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd && errno == ENOENT) return 0;
  struct stat info {};
  if (!fd || fstat(fd.get(), &info) != 0 || fdatasync(fd.get()) != 0) {
    return Fail(ErrorCode::kIo, "{}: cannot sync: {}", log, ErrnoText(errno));
  }
  return info.st_size;
}

}  // namespace

Syncer::Syncer(std::string path, std::int64_t sync_after_ms)
    : path_(std::move(path)), sync_after_ms_(sync_after_ms), thread_([this] { Run(); }) {}

Syncer::~Syncer() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void Syncer::Written() {
  bool first = false;
  {
    const std::lock_guard lock(mutex_);
    first = unsynced_since_ns_ == 0;
    if (first) unsynced_since_ns_ = SystemClock().SteadyNs();
  }
  if (first) wake_.notify_one();
  if (!Overdue()) return;
  const std::lock_guard one_at_a_time(sync_mutex_);
  if (Overdue()) (void)Sync();  // What fails is said by the thread, which tries again.
}

bool Syncer::Overdue() {
  const std::lock_guard lock(mutex_);
  const std::int64_t since_ns = syncing_since_ns_ != 0 ? syncing_since_ns_ : unsynced_since_ns_;
  if (!working_ || since_ns == 0) return false;
  return SystemClock().SteadyNs() - since_ns > kMaxUnsyncedMs * kNsPerMs;
}

void Syncer::WhenSynced(std::function<void()> done) {
  {
    const std::lock_guard lock(mutex_);
    waiting_.push_back(std::move(done));
  }
  wake_.notify_one();
}

void Syncer::Run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    wake_.wait(lock, [this] { return unsynced_since_ns_ != 0 || !waiting_.empty() || stopping_; });
    // What is written meanwhile shares the sync; a stop does not wait.
    const auto awaited = [this] { return stopping_ || (working_ && !waiting_.empty()); };
    wake_.wait_for(lock, std::chrono::milliseconds(sync_after_ms_), awaited);
    wake_.wait_for(lock, std::chrono::milliseconds(kAwaitedSyncMs), [this] { return stopping_; });
    std::vector<std::function<void()>> covered = std::exchange(waiting_, {});
    lock.unlock();
    if (SyncAndCheckpoint()) {
      for (const auto& done : covered) done();
      covered.clear();
    }
    lock.lock();
    waiting_.insert(waiting_.begin(), std::make_move_iterator(covered.begin()),
                    std::make_move_iterator(covered.end()));
  }
}

bool Syncer::SyncAndCheckpoint() {
  Result<std::int64_t> log_bytes = 0;
  {
    const std::lock_guard one_at_a_time(sync_mutex_);
    log_bytes = Sync();
  }
  Status done;
  if (!log_bytes) {
    done = Forward(log_bytes.error());
  } else if (*log_bytes > kCheckpointLogBytes) {
    done = Checkpoint(path_);
  }
  if (!done && !failing_) LogWarning("history: {}; will go on trying", done.error().message);
  if (done && failing_) LogInfo("history: {}: synced again", path_);
  failing_ = !done;
  return done.has_value();
}

Result<std::int64_t> Syncer::Sync() {
  {
    const std::lock_guard lock(mutex_);
    syncing_since_ns_ = std::exchange(unsynced_since_ns_, 0);
  }
  Result<std::int64_t> log_bytes = SyncLog(path_ + "-wal");
  const std::lock_guard lock(mutex_);
  working_ = log_bytes.has_value();
  const std::int64_t since_ns = std::exchange(syncing_since_ns_, 0);
  if (!working_ && since_ns != 0) unsynced_since_ns_ = since_ns;
  return log_bytes;
}

}  // namespace atalaya::history
