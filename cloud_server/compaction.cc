#include "cloud_server/compaction.h"

#include <algorithm>
#include <chrono>

#include "base/clock.h"
#include "cloud_server/message_fields.h"

namespace atalaya::cloud_server {
namespace {

constexpr std::chrono::milliseconds kLookAgainEvery{2};

}  // namespace

bool Compaction::IsDue(const Journal& journal) const {
  return !is_running_ && !journal.full() &&
         journal.used_bytes() >= std::max(kCompactFromBytes, kCompactAtGrowth * live_bytes_);
}

void Compaction::Begin(DurableLog* log, const RetainedStore* retained, std::size_t loops,
                       std::function<void()> all_done) {
  Stop();  // The thread of the last time has ended.
  Durability* const durability = log->durability();
  Journal* const journal = &durability->journal();
  is_running_ = true;
  stopping_ = false;
  old_until_ = journal->last();
  written_before_ = journal->figures().written_bytes;
  id_floor_ = durability->next_id();
  left_ = loops + 1;
  all_done_ = std::move(all_done);
  log->Write(CompactionBegan{id_floor_});
  log->WriteClock();  // The last one may stand in what will be given up.
  log->Submit();
  thread_ = std::thread([this, retained, journal] { WriteRetained(*retained, journal); });
}

void Compaction::WriteRetained(const RetainedStore& retained, Journal* journal) {
  const ClockPair clocks = ClockPair::Now();
  JournalBatch batch;
  const auto hand_over = [&] {
    journal->Append(&batch);
    while (journal->figures().pending_bytes > kImageBytesPerTurn && !stopping_) {
      std::this_thread::sleep_for(kLookAgainEvery);
    }
  };
  retained.Snapshot().ForEach([&](const RetainedMessage& kept) {
    if (stopping_) return;
    WriteRecord(RetainedImage{kept.order, FieldsOf(*kept.message, clocks)}, batch.Begin());
    batch.End();
    if (batch.bytes() >= kImageBytesPerTurn) hand_over();
  });
  hand_over();
  if (!stopping_) Done();
}

void Compaction::Done() {
  if (left_.fetch_sub(1) == 1) all_done_();
}

void Compaction::End(DurableLog* log) {
  Journal& journal = log->durability()->journal();
  live_bytes_ = journal.figures().written_bytes - written_before_;
  journal.RemoveUpTo(old_until_);
  is_running_ = false;
  ++count_;
}

void Compaction::Stop() {
  stopping_ = true;
  if (thread_.joinable()) thread_.join();
}

}  // namespace atalaya::cloud_server
