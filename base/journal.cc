#include "base/journal.h"

#include <algorithm>
#include <random>

#include "base/check.h"
#include "base/clock.h"
#include "base/journal_format.h"
#include "base/log.h"

namespace atalaya {
namespace {

namespace format = journal_format;

constexpr std::size_t kFreeBuffers = 16;
constexpr std::size_t kFreeBufferBytes = 1u << 20;  // A larger one is not worth keeping.

Status MakeFolder(const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (!error) return {};
  return Fail(ErrorCode::kIo, "{}: cannot make the folder: {}", folder.string(), error.message());
}

}  // namespace

std::string* JournalBatch::Begin() {
  if (bytes_.empty()) format::AppendMark(&bytes_);
  open_at_ = bytes_.size();
  format::AppendRecordHeader(&bytes_);
  return &bytes_;
}

void JournalBatch::End() {
  const std::size_t length = bytes_.size() - open_at_ - format::kRecordHeaderBytes;
  ATALAYA_CHECK(length > 0 && length <= kMaxJournalRecordBytes);
  format::SetLength(&bytes_, open_at_);
  ++records_;
}

Result<std::unique_ptr<Journal>> Journal::Open(const JournalOptions& options,
                                               const JournalVisitor& visit) {
  if (Status made = MakeFolder(options.folder); !made) return Forward(made.error());
  const Result<JournalContents> contents = ReadJournal(*options.files, options.folder, visit);
  if (!contents) return Forward(contents.error());
  std::uint32_t salt = contents->salt;
  while (salt == 0) salt = std::random_device()();
  // What was read may stand in the page cache only: it is what the state is made of from now on.
  if (!contents->segments.empty()) {
    const std::filesystem::path last =
        options.folder / format::SegmentName(contents->segments.back());
    Result<std::unique_ptr<JournalFile>> file = options.files->Open(last);
    const Status synced = !file ? Status(Forward(file.error())) : (*file)->Sync();
    if (!synced) return Forward(synced.error());
  }
  std::unique_ptr<Journal> journal(new Journal(options, *contents, salt));
  if (Status ready = journal->segments_->Prepare(); !ready) return Forward(ready.error());
  return journal;
}

Journal::Journal(const JournalOptions& options, const JournalContents& contents, std::uint32_t salt)
    : report_(contents.report),
      salt_(salt),
      segments_(std::make_unique<JournalSegments>(
          JournalSegments::Options{options.files, options.folder, options.segment_bytes, salt,
                                   [this] { on_progress_(); }},
          std::deque<JournalPosition>(contents.segments.begin(), contents.segments.end()))),
      written_(contents.next - 1),
      durable_(contents.next - 1),
      last_(contents.next - 1) {}

Journal::~Journal() { Stop(); }

void Journal::Start(std::function<void()> on_progress) {
  on_progress_ = std::move(on_progress);
  segments_->Start();
  thread_ = std::thread([this] { Run(); });
}

JournalPosition Journal::Append(JournalBatch* batch) {
  const std::int64_t now_ns = SystemClock().SteadyNs();
  const std::lock_guard lock(mutex_);
  if (batch->empty()) return last_;
  figures_.pending_bytes.fetch_add(batch->bytes(), std::memory_order_relaxed);
  last_ += batch->records_;
  pending_.push_back({std::move(batch->bytes_), std::exchange(batch->records_, 0), now_ns});
  batch->bytes_ = std::string();
  if (!free_.empty()) {
    batch->bytes_ = std::move(free_.back());
    free_.pop_back();
  }
  if (idle_) wake_.notify_one();
  return last_;
}

JournalPosition Journal::last() const {
  const std::lock_guard lock(mutex_);
  return last_;
}

void Journal::Run() {
  std::vector<Pending> batches;
  std::unique_lock lock(mutex_);
  while (true) {
    idle_ = true;
    wake_.wait(lock, [this] { return stopping_ || !pending_.empty(); });
    idle_ = false;
    if (pending_.empty()) break;
    batches.swap(pending_);
    lock.unlock();
    const bool committed = Commit(&batches);
    if (committed) on_progress_();
    lock.lock();
    if (!committed) return;
    for (Pending& batch : batches) {
      if (free_.size() == kFreeBuffers || batch.bytes.capacity() > kFreeBufferBytes) continue;
      batch.bytes.clear();
      free_.push_back(std::move(batch.bytes));
    }
    batches.clear();
  }
  lock.unlock();
  WriteLastMark();
}

void Journal::WriteLastMark() {
  std::string mark;
  format::AppendMark(&mark);
  if (!segments_->HasRoom(mark.size())) return;
  format::SealMark(mark.data(), written_ + 1, durable(), salt_);
  if (segments_->Write(mark)) segments_->Sync();
}

bool Journal::WriteAll(std::vector<Pending>* batches) {
  for (Pending& batch : *batches) {
    if (!segments_->HasRoom(batch.bytes.size())) {
      if (written_ != durable()) segments_->Sync();
      durable_.store(written_, std::memory_order_release);
      if (!segments_->Begin(written_ + 1, batch.bytes.size())) return false;
    }
    char* at = format::SealMark(batch.bytes.data(), written_ + 1, durable(), salt_);
    for (std::uint64_t i = 0; i < batch.records; ++i) {
      at = format::SealRecord(at, written_ + 1 + i, salt_);
    }
    if (!segments_->Write(batch.bytes)) return false;
    written_ += batch.records;
  }
  return true;
}

bool Journal::Commit(std::vector<Pending>* batches) {
  if (!WriteAll(batches)) return false;
  segments_->Sync();
  durable_.store(written_, std::memory_order_release);
  for (const Pending& batch : *batches) {
    figures_.records.fetch_add(batch.records, std::memory_order_relaxed);
    figures_.written_bytes.fetch_add(batch.bytes.size(), std::memory_order_relaxed);
    figures_.pending_bytes.fetch_sub(batch.bytes.size(), std::memory_order_relaxed);
  }
  CountCommit(SystemClock().SteadyNs() - batches->front().since_ns);
  return true;
}

void Journal::CountCommit(std::int64_t ns) {
  const auto at = std::lower_bound(kCommitBucketsNs.begin(), kCommitBucketsNs.end(), ns);
  const auto bucket = static_cast<std::size_t>(at - kCommitBucketsNs.begin());
  figures_.commit_buckets[bucket].fetch_add(1, std::memory_order_relaxed);
  figures_.commit_ns.fetch_add(static_cast<std::uint64_t>(ns), std::memory_order_relaxed);
  figures_.commits.fetch_add(1, std::memory_order_relaxed);
}

void Journal::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  segments_->GiveUpIfFull();  // What waits for room was never acknowledged.
  if (thread_.joinable()) thread_.join();
  segments_->Stop();
}

}  // namespace atalaya
