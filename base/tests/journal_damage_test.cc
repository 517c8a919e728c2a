// What is left of a journal after crashes, and after bytes of it have changed.

#include <gtest/gtest.h>

#include <random>

#include "base/journal_format.h"
#include "base/tests/journal_bench.h"

namespace atalaya {
namespace {

class JournalDamage : public JournalBench {
 protected:
  // Six records to a segment, each of which says its position.
  static std::string Text(JournalPosition position) {
    return std::to_string(position) + std::string(600, '.');
  }
  void Fill(int count) {
    for (int i = 0; i < count; ++i) ASSERT_TRUE(WaitDurable(Append(Text(journal->last() + 1))));
  }
  void FlipByte(const std::string& name, std::size_t at) {
    std::string content = files.Contents().at(name);
    content[at] = static_cast<char>(content[at] ^ 0x41);
    files.SetContent(name, content);
  }
  void ExpectRightTexts() {
    for (const auto& [position, text] : records) ASSERT_EQ(text, Text(position));
  }
};

TEST_F(JournalDamage, AFlippedByteInAnOldSegmentCostsOneRecordAtMost) {
  Open();
  Fill(20);
  journal.reset();
  const auto before = files.Contents();
  const std::string name = journal_format::SegmentName(1);
  const std::size_t used = journal_format::kSegmentHeaderBytes + 6 * (28 + 20 + 601);
  for (std::size_t at = 0; at < used; at += 7) {
    files.Load(before);
    FlipByte(name, at);
    Open();
    ASSERT_GE(records.size(), 19u) << "byte " << at;
    ASSERT_EQ(records.size() + journal->report().lost_records, 20u) << "byte " << at;
    ExpectRightTexts();
    if (journal->report().lost_records > 0) {
      ASSERT_EQ(files.Contents().count("damaged-" + name), 1u);
    }
    journal.reset();
  }
}

TEST_F(JournalDamage, ALostSegmentCostsItsOwnRecordsOnly) {
  Open();
  Fill(20);
  journal.reset();
  const std::string name = journal_format::SegmentName(7);
  files.SetContent(name, std::string(kSegmentBytes, '\0'));
  Open();
  EXPECT_EQ(journal->report().lost_records, 6u);
  EXPECT_EQ(records.size(), 14u);
  ExpectRightTexts();
  journal.reset();
  ASSERT_TRUE(files.Remove(name));
  Open();
  EXPECT_EQ(records.size(), 14u);
}

TEST_F(JournalDamage, AFlippedByteInTheLastSegmentIsToldFromATornTail) {
  Open();
  Fill(5);
  journal.reset();
  const auto content = files.Contents().at(journal_format::SegmentName(1));
  FlipByte(journal_format::SegmentName(1), content.find("3."));
  Open();
  EXPECT_EQ(records.size(), 4u);
  EXPECT_EQ(journal->report().lost_records, 1u);
  ExpectRightTexts();
}

TEST_F(JournalDamage, WhatIsDurableOutlivesAPowerFailureWhateverElseReachedTheDisk) {
  std::mt19937 random(7);
  JournalPosition durable = 0;
  for (int round = 0; round < 60; ++round) {
    Open();
    ASSERT_GE(records.size(), durable);
    ASSERT_EQ(records.empty() ? 0 : records.rbegin()->first, records.size());
    ASSERT_EQ(journal->report().lost_records, 0u) << "round " << round;
    ExpectRightTexts();
    for (int i = 0; i < 9; ++i) Append(Text(journal->last() + 1));
    ASSERT_TRUE(WaitDurable(journal->last() - random() % 5));
    durable = journal->durable();
    const unsigned share = random() % 4;
    const auto disk = files.AfterPowerFailure([&](std::uint64_t) { return random() % 4 < share; });
    journal.reset();
    files.Load(disk);
  }
}

TEST_F(JournalDamage, ATornTailIsCutAtTheTear) {
  Open();
  Fill(3);
  journal.reset();
  const std::string name = journal_format::SegmentName(1);
  const auto content = files.Contents().at(name);
  FlipByte(name, content.find("3."));
  // What was written when the journal ended proves the damage; a crash would not have written it.
  const std::size_t end = content.find("3.") + 602;
  std::string torn = files.Contents().at(name);
  torn.replace(end, 28, std::string(28, '\0'));
  files.SetContent(name, torn);
  Open();
  EXPECT_EQ(records.size(), 2u);
  EXPECT_EQ(journal->report().lost_records, 0u);
  ASSERT_TRUE(WaitDurable(Append(Text(3))));
  journal.reset();
  Open();
  EXPECT_EQ(records.size(), 3u);
  ExpectRightTexts();
}

TEST_F(JournalDamage, ANewerVersionIsRefusedByName) {
  Open();
  Fill(1);
  journal.reset();
  const std::string name = journal_format::SegmentName(1);
  std::string content = files.Contents().at(name);
  content.replace(0, 64, journal_format::EncodeSegmentHeader({7, 1, 1}));
  files.SetContent(name, content);
  const auto opened = Journal::Open({testing::TempDir() + "unused", kSegmentBytes, &files},
                                    [](JournalPosition, std::string_view) {});
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::kVersion);
  EXPECT_NE(opened.error().message.find(name + ": written in version 7"), std::string::npos);
}

}  // namespace
}  // namespace atalaya
