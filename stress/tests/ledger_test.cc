#include "stress/ledger.h"

#include <gtest/gtest.h>

#include "stress/packet_ids.h"

namespace atalaya::stress {
namespace {

SubscriberBook OneLink() {
  SubscriberBook book;
  book.links.resize(1);
  return book;
}

PublisherBook WithSent(std::uint32_t count) {
  PublisherBook book;
  book.sent = count;
  return book;
}

LedgerFigures Weighed(const PublisherBook& publisher, const SubscriberBook& subscriber,
                      const LedgerRules& rules = {}) {
  LedgerFigures figures;
  WeighLink(publisher, subscriber.links[0].seen, rules, &figures);
  return figures;
}

TEST(Ledger, CountsWhatNeverCameAsLost) {
  SubscriberBook subscriber = OneLink();
  for (std::uint32_t i = 0; i < 200; ++i) {
    if (i % 10 != 3) {
      EXPECT_TRUE(subscriber.Received(0, i));
    }
  }
  const LedgerFigures figures = Weighed(WithSent(200), subscriber);
  EXPECT_EQ(figures.expected, 200u);
  EXPECT_EQ(figures.received, 180u);
  EXPECT_EQ(figures.lost(), 20u);
  EXPECT_EQ(subscriber.reordered, 0u);
}

TEST(Ledger, TellsADuplicateFromALatecomer) {
  SubscriberBook subscriber = OneLink();
  EXPECT_TRUE(subscriber.Received(0, 0));
  EXPECT_TRUE(subscriber.Received(0, 3));
  EXPECT_TRUE(subscriber.Received(0, 1));   // Late: after 3.
  EXPECT_FALSE(subscriber.Received(0, 3));  // Doubled.
  EXPECT_FALSE(subscriber.Received(0, 0));
  EXPECT_EQ(subscriber.reordered, 1u);
  EXPECT_EQ(subscriber.duplicated, 2u);
  EXPECT_EQ(Weighed(WithSent(5), subscriber).lost(), 2u);
}

TEST(Ledger, SeesADuplicateHoweverLateItComes) {
  SubscriberBook subscriber = OneLink();
  for (std::uint32_t i = 0; i < 100'000; ++i) subscriber.Received(0, i);
  EXPECT_FALSE(subscriber.Received(0, 0));
  EXPECT_EQ(Weighed(WithSent(100'000), subscriber).lost(), 0u);
}

TEST(Ledger, ExcusesWhatWasSentAroundAFault) {
  PublisherBook publisher = WithSent(100);
  publisher.fault_windows = {{10, 20}, {90, UINT32_MAX}};
  SubscriberBook subscriber = OneLink();
  for (std::uint32_t i = 0; i < 100; ++i) {
    if (i != 5 && i != 10 && i != 19 && i != 20 && i != 95) subscriber.Received(0, i);
  }
  const LedgerFigures figures = Weighed(publisher, subscriber);
  EXPECT_EQ(figures.missing(), 5u);
  EXPECT_EQ(figures.lost_in_faults, 3u);
  EXPECT_EQ(figures.lost(), 2u);
}

TEST(Ledger, ExcusesNothingThatWasAcknowledgedWhereTheServerKeepsMessages) {
  PublisherBook publisher = WithSent(3);
  publisher.fault_windows = {{0, 3}};
  publisher.acknowledgements.Insert(0);
  publisher.acknowledgements.Insert(1);
  SubscriberBook subscriber = OneLink();
  subscriber.Received(0, 0);
  const LedgerFigures kept = Weighed(publisher, subscriber, {1, true});
  EXPECT_EQ(kept.lost(), 1u);  // Sequence 1; nobody promised 2.
  EXPECT_EQ(kept.lost_unconfirmed, 1u);
  EXPECT_EQ(Weighed(publisher, subscriber, {1, false}).lost(), 0u);
}

TEST(Ledger, JoinsWhatAGroupHasTogether) {
  SequenceSet a, b;
  a.Insert(1);
  a.Insert(200);
  b.Insert(1);
  b.Insert(64);
  a.Merge(b);
  EXPECT_EQ(a.Count(), 3u);
  EXPECT_TRUE(a.Contains(64));
  EXPECT_FALSE(a.Contains(65));
}

TEST(PacketIds, UsesAnIdAgainOnceItIsFree) {
  PacketIds ids;
  EXPECT_EQ(ids.Take(10), 1);
  EXPECT_EQ(ids.Take(11), 2);
  EXPECT_EQ(ids.SequenceOf(2), 11u);
  ids.Release(1);
  EXPECT_FALSE(ids.Uses(1));
  EXPECT_FALSE(ids.Uses(0));
  EXPECT_FALSE(ids.Uses(3));
  EXPECT_EQ(ids.Take(12), 1);
  EXPECT_EQ(ids.used(), 2u);
}

}  // namespace
}  // namespace atalaya::stress
