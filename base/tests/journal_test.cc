#include "base/journal.h"

#include <gtest/gtest.h>

#include <thread>

#include "base/tests/journal_bench.h"

namespace atalaya {
namespace {

class JournalTest : public JournalBench {};

TEST_F(JournalTest, HandsOutAfterARestartWhatWasDurableInOrder) {
  Open();
  EXPECT_EQ(Append("one"), 1u);
  EXPECT_EQ(Append("two", 3), 4u);
  ASSERT_TRUE(WaitDurable(4));
  journal.reset();
  Open();
  ASSERT_EQ(records.size(), 4u);
  EXPECT_EQ(Record(1), "one");
  EXPECT_EQ(Record(4), "two");
  EXPECT_EQ(Append("five"), 5u);
  ASSERT_TRUE(WaitDurable(5));
  journal.reset();
  Open();
  EXPECT_EQ(records.size(), 5u);
  EXPECT_EQ(Record(5), "five");
  EXPECT_EQ(journal->report().lost_records, 0u);
}

TEST_F(JournalTest, GoesOnOverManySegmentsAndThroughRecordsLargerThanOne) {
  Open();
  for (int i = 0; i < 100; ++i) Append(std::string(static_cast<std::size_t>(i) * 20 + 1, 'x'));
  Append(std::string(3 * kSegmentBytes, 'L'));
  const JournalPosition last = Append("end");
  ASSERT_TRUE(WaitDurable(last));
  journal.reset();
  EXPECT_GT(Segments(), 10);
  Open();
  ASSERT_EQ(records.size(), 102u);
  for (JournalPosition i = 1; i <= 100; ++i) EXPECT_EQ(Record(i).size(), (i - 1) * 20 + 1);
  EXPECT_EQ(Record(101).size(), 3 * kSegmentBytes);
  EXPECT_EQ(Record(102), "end");
}

TEST_F(JournalTest, TakesBatchesOfManyProducersWholeAndInTheirOrder) {
  Open();
  std::vector<std::thread> producers;
  for (int p = 0; p < 4; ++p) {
    producers.emplace_back([this, p] {
      for (int i = 0; i < 200; ++i) Append(std::to_string(p) + ":" + std::to_string(i), 2);
    });
  }
  for (std::thread& producer : producers) producer.join();
  ASSERT_TRUE(WaitDurable(1600));
  journal.reset();
  Open();
  ASSERT_EQ(records.size(), 1600u);
  std::map<char, int> next;
  for (JournalPosition at = 1; at <= 1600; at += 2) {
    ASSERT_EQ(Record(at), Record(at + 1));
    const std::string text = Record(at);
    ASSERT_EQ(std::stoi(text.substr(2)), next[text[0]]++) << text;
  }
}

TEST_F(JournalTest, GivesUpOldSegmentsAndUsesThemAgain) {
  Open();
  JournalPosition last = 0;
  for (int i = 0; i < 40; ++i) {
    last = Append(std::string(1000, 'a'));
    ASSERT_TRUE(WaitDurable(last));
  }
  journal->RemoveUpTo(last - 1);
  for (int i = 0; i < 40; ++i) {
    last = Append(std::string(1000, 'b'));
    ASSERT_TRUE(WaitDurable(last));
    journal->RemoveUpTo(last - 1);
  }
  journal.reset();
  EXPECT_LE(Segments(), 8);
  EXPECT_LE(files.Contents().size(), 8u + kKeptSpareSegments);
  Open();  // What is left of earlier uses of the files is not taken for records.
  ASSERT_FALSE(records.empty());
  EXPECT_EQ(records.rbegin()->first, last);
  for (const auto& [position, text] : records) {
    EXPECT_EQ(text[0], position <= 40 ? 'a' : 'b') << position;
  }
  EXPECT_EQ(journal->report().lost_records, 0u);
}

TEST_F(JournalTest, SaysThatTheDiskIsFullBeforeTheSegmentIsAndGoesOnWhenThereIsRoom) {
  Open();
  ASSERT_TRUE(WaitDurable(Append("first")));
  // One is being written, its spare is there; for a third there is no room.
  ASSERT_TRUE(Wait([&] { return files.Contents().size() == 2; }));
  files.SetCapacity(2 * kSegmentBytes + 100);
  JournalPosition last = 0;
  for (int i = 0; i < 5; ++i) last = Append(std::string(700, 'x'));
  ASSERT_TRUE(WaitDurable(last));
  last = Append(std::string(700, 'y'));
  ASSERT_TRUE(WaitDurable(last));  // In the spare.
  ASSERT_TRUE(Wait([&] { return journal->full(); }));
  ASSERT_TRUE(WaitDurable(Append("there is room within the segment")));
  for (int i = 0; i < 10; ++i) last = Append(std::string(700, 'z'));
  EXPECT_LT(journal->durable(), last);
  files.SetCapacity(UINT64_MAX);
  EXPECT_TRUE(WaitDurable(last));
  EXPECT_TRUE(Wait([&] { return !journal->full(); }));
  journal.reset();
  Open();
  EXPECT_EQ(records.size(), last);
}

TEST_F(JournalTest, OpensOnAFullDiskAndEndsOnOne) {
  Open();
  ASSERT_TRUE(WaitDurable(Append("kept")));
  journal.reset();
  files.SetCapacity(0);
  for (const auto& [name, content] : files.Contents()) {
    if (!name.starts_with("spare-")) continue;
    ASSERT_TRUE(files.Remove(name));
  }
  Open();
  EXPECT_EQ(Record(1), "kept");
  Append("never acknowledged");
  EXPECT_TRUE(Wait([&] { return journal->full(); }));
  journal.reset();
}

TEST_F(JournalTest, AnErrorOfSyncEndsTheProcess) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        Open();
        WaitDurable(Append("good"));
        files.FailSyncs();
        WaitDurable(Append("bad"));
      },
      testing::ExitedWithCode(1), "");
}

TEST_F(JournalTest, CountsItsCommits) {
  Open();
  ASSERT_TRUE(WaitDurable(Append("x", 7)));
  journal->Stop();
  const JournalFigures& figures = journal->figures();
  EXPECT_EQ(figures.commits, 1u);
  EXPECT_EQ(figures.records, 7u);
  EXPECT_EQ(figures.pending_bytes, 0u);
  std::uint64_t in_buckets = 0;
  for (const auto& bucket : figures.commit_buckets) in_buckets += bucket;
  EXPECT_EQ(in_buckets, 1u);
}

TEST(JournalOnDisk, KeepsItsFilesInItsFolder) {
  const std::filesystem::path folder = testing::TempDir() + "journal_on_disk";
  std::filesystem::remove_all(folder);
  for (int round = 0; round < 3; ++round) {
    int records = 0;
    auto journal = Journal::Open({folder, 8192}, [&](JournalPosition, std::string_view payload) {
      EXPECT_EQ(payload, "text");
      ++records;
    });
    ASSERT_TRUE(journal) << journal.error().message;
    EXPECT_EQ(records, round * 500);
    (*journal)->Start([] {});
    for (int i = 0; i < 50; ++i) {
      JournalBatch batch;
      for (int j = 0; j < 10; ++j) {
        batch.Begin()->append("text");
        batch.End();
      }
      (*journal)->Append(&batch);
    }
  }
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace atalaya
