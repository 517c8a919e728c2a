#include "base/journal_segments.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>

#include "base/check.h"
#include "base/journal_format.h"
#include "base/log.h"

namespace atalaya {
namespace {

namespace format = journal_format;

constexpr std::size_t kFillBytes = 1u << 20;

// After a failed sync the kernel's word on any page of the file is worthless (Rebello et al., "Can
// applications recover from fsync failures?", ATC 2020): nothing may be acknowledged any more.
[[noreturn]] void EndProcess(const Error& error) {
  LogError("{}; what was acknowledged is safe, the rest is unknown: ending", error.message);
  std::_Exit(1);
}

}  // namespace

JournalSegments::JournalSegments(Options options, std::deque<JournalPosition> existing)
    : options_(std::move(options)), bases_(std::move(existing)) {
  CountUsed();
  file_bytes_ = used_bytes();
  FindSpares();
}

JournalSegments::~JournalSegments() { Stop(); }

std::filesystem::path JournalSegments::SparePath(std::uint64_t number) const {
  return options_.folder / fmt::format("{}{}{}", format::kSparePrefix, number, format::kSuffix);
}

void JournalSegments::FindSpares() {
  const Result<std::vector<std::string>> names = options_.files->List(options_.folder);
  if (!names) return;
  for (const std::string& name : *names) {
    if (!name.starts_with(format::kSparePrefix)) continue;
    std::uint64_t number = 0;
    const char* const digits = name.data() + format::kSparePrefix.size();
    const auto parsed = std::from_chars(digits, name.data() + name.size(), number);
    const std::filesystem::path path = options_.folder / name;
    bool good = parsed.ec == std::errc() && SparePath(number) == path;
    if (good) {
      const Result<std::unique_ptr<JournalFile>> file = options_.files->Open(path);
      const Result<std::uint64_t> size = file ? (*file)->Size() : Forward(file.error());
      good = size && *size == options_.segment_bytes && spares_.size() < kKeptSpareSegments;
    }
    if (!good) {  // Half made, or of another size.
      if (Status gone = options_.files->Remove(path); !gone) LogError("{}", gone.error().message);
      continue;
    }
    spares_.push_back(number);
    next_spare_ = std::max(next_spare_, number + 1);
    file_bytes_ += options_.segment_bytes;
  }
}

Status JournalSegments::MakeSpare() {
  const std::filesystem::path path = SparePath(next_spare_);
  const std::filesystem::path beside = path.string() + ".new";
  const auto fill = [&]() -> Status {
    Result<std::unique_ptr<JournalFile>> file = options_.files->Open(beside);
    if (!file) return Forward(file.error());
    const std::string zeros(kFillBytes, '\0');
    for (std::uint64_t at = 0; at < options_.segment_bytes; at += kFillBytes) {
      const std::size_t some = std::min<std::uint64_t>(kFillBytes, options_.segment_bytes - at);
      const Status written = (*file)->Write(std::string_view(zeros).substr(0, some), at);
      if (!written) return written;
    }
    return (*file)->Sync();
  };
  Status made = fill();
  if (made) made = options_.files->Rename(beside, path);
  if (made) return options_.files->SyncFolder(options_.folder);
  static_cast<void>(options_.files->Remove(beside));
  return made;
}

Status JournalSegments::Prepare() {
  if (!spares_.empty()) return {};
  const Status made = MakeSpare();
  if (!made && made.error().code == ErrorCode::kLimit) return {};  // The thread tries again.
  if (!made) return made;
  spares_.push_back(next_spare_++);
  file_bytes_ += options_.segment_bytes;
  return {};
}

void JournalSegments::Start() {
  thread_ = std::thread([this] { Keep(); });
}

void JournalSegments::GiveUpIfFull() {
  {
    const Lock lock(mutex_);
    give_up_ = true;
  }
  changed_.notify_all();
}

void JournalSegments::Stop() {
  {
    const Lock lock(mutex_);
    stopped_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void JournalSegments::Keep() {
  Lock lock(mutex_);
  while (!stopped_) {
    RemoveOld(lock);
    if (stopped_) break;  // RemoveOld lets go of the lock: nobody would say it again.
    if (!spares_.empty()) {
      SetFull(&spare_missing_, false, "");
      changed_.wait(lock);
      continue;
    }
    lock.unlock();
    const Status made = MakeSpare();  // No other thread uses next_spare_ while this one runs.
    lock.lock();
    if (made) {
      spares_.push_back(next_spare_++);
      file_bytes_ += options_.segment_bytes;
      changed_.notify_all();
      continue;
    }
    if (made.error().code != ErrorCode::kLimit) EndProcess(made.error());
    SetFull(&spare_missing_, true, made.error().message);
    changed_.notify_all();
    changed_.wait_for(lock, kRetryEvery);
  }
}

void JournalSegments::RemoveOld(Lock& lock) {
  while (bases_.size() > 1 && bases_[1] <= remove_before_) {
    const std::filesystem::path path = options_.folder / format::SegmentName(bases_.front());
    bases_.pop_front();
    CountUsed();
    const std::size_t spares = spares_.size();
    lock.unlock();
    bool reusable = false;
    if (const Result<std::unique_ptr<JournalFile>> file = options_.files->Open(path); file) {
      const Result<std::uint64_t> size = (*file)->Size();
      reusable = size && *size == options_.segment_bytes && spares < kKeptSpareSegments;
    }
    const Status gone = reusable ? options_.files->Rename(path, SparePath(next_spare_))
                                 : options_.files->Remove(path);
    const Status synced = gone ? options_.files->SyncFolder(options_.folder) : gone;
    if (!synced) LogError("{}", synced.error().message);
    lock.lock();
    if (reusable && synced) {
      spares_.push_back(next_spare_++);
      changed_.notify_all();
    } else {
      file_bytes_ -= options_.segment_bytes;
    }
  }
}

void JournalSegments::SetFull(std::atomic<bool>* part, bool full, const std::string& why) {
  const bool before = this->full();
  part->store(full);
  if (this->full() == before) return;
  if (full) {
    LogError("no room for the journal: {}; nothing that must be kept is taken until there is", why);
  } else {
    LogInfo("there is room for the journal again");
  }
  options_.on_full_changed();
}

bool JournalSegments::Begin(JournalPosition base, std::size_t bytes) {
  const std::uint64_t needed = format::kSegmentHeaderBytes + bytes;
  const std::filesystem::path path = options_.folder / format::SegmentName(base);
  std::filesystem::path spare;  // Empty: a file of its own, for what is larger than a segment.
  {
    Lock lock(mutex_);
    if (needed <= options_.segment_bytes) {
      changed_.wait(lock, [this] { return !spares_.empty() || GivenUp(); });
      if (spares_.empty()) return false;
      spare = SparePath(spares_.front());
      spares_.pop_front();
    } else {
      file_bytes_ += options_.segment_bytes;  // About.
    }
    if (!bases_.empty() && bases_.back() == base) {
      bases_.pop_back();  // Nothing of it was durable; it is replaced.
      file_bytes_ -= options_.segment_bytes;
    }
  }
  Result<std::unique_ptr<JournalFile>> file = OpenSpare(spare, path);
  if (!file) EndProcess(file.error());
  file_ = std::move(*file);
  offset_ = 0;
  room_ = std::max(needed, options_.segment_bytes);
  {
    const Lock lock(mutex_);
    bases_.push_back(base);
    CountUsed();
  }
  changed_.notify_all();  // The next spare is due.
  return Write(format::EncodeSegmentHeader({format::kVersion, options_.salt, base}));
}

Result<std::unique_ptr<JournalFile>> JournalSegments::OpenSpare(const std::filesystem::path& spare,
                                                                const std::filesystem::path& path) {
  if (spare.empty()) {
    static_cast<void>(options_.files->Remove(path));  // Most often there is none.
    Result<std::unique_ptr<JournalFile>> made = options_.files->Open(path);
    if (!made) return made;
  } else if (Status named = options_.files->Rename(spare, path); !named) {
    return Forward(named.error());
  }
  if (Status synced = options_.files->SyncFolder(options_.folder); !synced) {
    return Forward(synced.error());
  }
  return options_.files->Open(path);
}

bool JournalSegments::Write(std::string_view bytes) {
  while (true) {
    const Status written = file_->Write(bytes, offset_);
    if (written) break;
    if (written.error().code != ErrorCode::kLimit) EndProcess(written.error());
    Lock lock(mutex_);  // A file system that copies on write, or what is larger than a segment.
    SetFull(&write_refused_, true, written.error().message);
    if (changed_.wait_for(lock, kRetryEvery, [this] { return GivenUp(); })) return false;
  }
  if (write_refused_.load(std::memory_order_relaxed)) {
    const Lock lock(mutex_);
    SetFull(&write_refused_, false, "");
  }
  offset_ += bytes.size();
  return true;
}

void JournalSegments::Sync() {
  if (const Status synced = file_->Sync(); !synced) EndProcess(synced.error());
}

void JournalSegments::RemoveBefore(JournalPosition position) {
  {
    const Lock lock(mutex_);
    remove_before_ = std::max(remove_before_, position);
  }
  changed_.notify_all();
}

}  // namespace atalaya
