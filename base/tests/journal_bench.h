#pragma once

#include <gtest/gtest.h>

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "base/journal.h"
#include "base/tests/memory_journal_files.h"

namespace atalaya {

// A journal on files in memory that a test opens, fills, crashes and opens again.
class JournalBench : public testing::Test {
 protected:
  static constexpr std::uint64_t kSegmentBytes = 4096;

  // Opens and starts it; `records` has what was read.
  void Open() {
    records.clear();
    const auto visit = [this](JournalPosition position, std::string_view payload) {
      records.emplace(position, payload);
    };
    Result<std::unique_ptr<Journal>> opened =
        Journal::Open({testing::TempDir() + "unused", kSegmentBytes, &files}, visit);
    ASSERT_TRUE(opened) << opened.error().message;
    journal = std::move(*opened);
    journal->Start([this] {
      const std::lock_guard lock(mutex_);
      progress_.notify_all();
    });
  }

  JournalPosition Append(const std::string& payload, int times = 1) {
    JournalBatch batch;
    for (int i = 0; i < times; ++i) {
      batch.Begin()->append(payload);
      batch.End();
    }
    return journal->Append(&batch);
  }

  template <typename Condition>
  bool Wait(const Condition& condition) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    std::unique_lock lock(mutex_);
    while (!condition()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      progress_.wait_for(lock, std::chrono::milliseconds(5));  // Not all progress is announced.
    }
    return true;
  }
  bool WaitDurable(JournalPosition position) {
    return Wait([&] { return journal->durable() >= position; });
  }

  // Of a record, as text; "" where it is missing.
  std::string Record(JournalPosition position) const {
    const auto found = records.find(position);
    return found == records.end() ? "" : found->second;
  }
  int Segments() {
    int count = 0;
    for (const auto& [name, content] : files.Contents())
      count += name.starts_with("journal-") ? 1 : 0;
    return count;
  }

  MemoryJournalFiles files;
  std::map<JournalPosition, std::string> records;

 private:
  std::mutex mutex_;
  std::condition_variable progress_;

 protected:
  std::unique_ptr<Journal> journal;  // After what its threads use.
};

}  // namespace atalaya
