#include "stress/ledger.h"

#include <gtest/gtest.h>

namespace atalaya::stress {
namespace {

Ledger WithSent(int count) {
  Ledger ledger;
  for (int i = 0; i < count; ++i) ledger.Sent();
  return ledger;
}

TEST(Ledger, CountsWhatNeverCameAsLost) {
  Ledger ledger = WithSent(200);
  for (std::uint32_t i = 0; i < 200; ++i) {
    if (i % 10 != 3) {
      EXPECT_TRUE(ledger.Received(i));
    }
  }
  EXPECT_EQ(ledger.figures().received, 180u);
  EXPECT_EQ(ledger.figures().lost(), 20u);
  EXPECT_EQ(ledger.figures().reordered, 0u);
}

TEST(Ledger, TellsADuplicateFromALatecomer) {
  Ledger ledger = WithSent(5);
  EXPECT_TRUE(ledger.Received(0));
  EXPECT_TRUE(ledger.Received(3));
  EXPECT_TRUE(ledger.Received(1));   // Late: after 3.
  EXPECT_FALSE(ledger.Received(3));  // Doubled.
  EXPECT_FALSE(ledger.Received(0));
  EXPECT_EQ(ledger.figures().reordered, 1u);
  EXPECT_EQ(ledger.figures().duplicated, 2u);
  EXPECT_EQ(ledger.figures().received, 3u);
  EXPECT_EQ(ledger.figures().lost(), 2u);
}

TEST(Ledger, SeesADuplicateHoweverLateItComes) {
  Ledger ledger = WithSent(100'000);
  for (std::uint32_t i = 0; i < 100'000; ++i) ledger.Received(i);
  EXPECT_FALSE(ledger.Received(0));
  EXPECT_EQ(ledger.figures().duplicated, 1u);
  EXPECT_EQ(ledger.figures().lost(), 0u);
}

TEST(Ledger, TakesASequenceThatWasNeverSentAsCorrupted) {
  Ledger ledger = WithSent(3);
  EXPECT_FALSE(ledger.Received(3));
  EXPECT_FALSE(ledger.Received(0xFFFFFFFF));
  EXPECT_EQ(ledger.figures().corrupted, 2u);
  EXPECT_EQ(ledger.figures().received, 0u);
}

TEST(Ledger, AddsUp) {
  LedgerFigures sum;
  Ledger ledger = WithSent(4);
  ledger.Received(0);
  ledger.Corrupted();
  ledger.Acknowledged();
  sum += ledger.figures();
  sum += ledger.figures();
  EXPECT_EQ(sum.sent, 8u);
  EXPECT_EQ(sum.received, 2u);
  EXPECT_EQ(sum.lost(), 6u);
  EXPECT_EQ(sum.corrupted, 2u);
  EXPECT_EQ(sum.acknowledged, 2u);
}

}  // namespace
}  // namespace atalaya::stress
