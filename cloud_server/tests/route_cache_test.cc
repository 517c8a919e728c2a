#include "cloud_server/route_cache.h"

#include <gtest/gtest.h>

namespace atalaya::cloud_server {
namespace {

// Routing never follows a session, so any address will do for one.
Session* FakeSession(int number) {
  static char places[16];
  return reinterpret_cast<Session*>(&places[number]);
}

SubscriptionEdit Edit(const std::string& filter, int session, int loop = 0,
                      mqtt::Qos qos = mqtt::Qos::k0, bool remove = false) {
  Subscriber subscriber;
  subscriber.session = FakeSession(session);
  subscriber.loop = static_cast<std::uint16_t>(loop);
  subscriber.qos = qos;
  return {filter, subscriber, remove, nullptr};
}

void Apply(SubscriptionIndex* index, const SubscriptionEdit& edit) { index->Apply({&edit, 1}); }

TEST(RouteCache, SeesEverySubscriptionAppliedBefore) {
  SubscriptionIndex index;
  RouteCache cache(&index, 0);
  EXPECT_TRUE(cache.Find("a/b").local.empty());
  Apply(&index, Edit("a/b", 1));
  EXPECT_EQ(cache.Find("a/b").local.size(), 1u);
  Apply(&index, Edit("a/+", 2));
  EXPECT_EQ(cache.Find("a/b").local.size(), 2u);
  Apply(&index, Edit("a/b", 1, 0, mqtt::Qos::k0, true));
  ASSERT_EQ(cache.Find("a/b").local.size(), 1u);
  EXPECT_EQ(cache.Find("a/b").local[0].session, FakeSession(2));
  Apply(&index, Edit("x/y", 3));
  EXPECT_EQ(cache.Find("a/b").local.size(), 1u);
}

TEST(RouteCache, SeesThroughMoreEditsThanAreRemembered) {
  SubscriptionIndex index;
  RouteCache cache(&index, 0);
  Apply(&index, Edit("a", 1));
  EXPECT_EQ(cache.Find("a").local.size(), 1u);
  Apply(&index, Edit("a", 2));
  for (std::size_t i = 0; i < 2 * kRememberedEdits; ++i) Apply(&index, Edit("other", 3));
  EXPECT_EQ(cache.Find("a").local.size(), 2u);
}

TEST(RouteCache, JoinsOneSessionsSubscriptionsIntoOneTargetAtTheHighestQos) {
  SubscriptionIndex index;
  RouteCache cache(&index, 0);
  Apply(&index, Edit("a/#", 1, 0, mqtt::Qos::k0));
  Apply(&index, Edit("a/b", 1, 0, mqtt::Qos::k1));
  Apply(&index, Edit("+/b", 1, 0, mqtt::Qos::k0));
  ASSERT_EQ(cache.Find("a/b").local.size(), 1u);
  EXPECT_EQ(cache.Find("a/b").local[0].qos, mqtt::Qos::k1);
}

TEST(RouteCache, NamesEachOtherLoopOnce) {
  SubscriptionIndex index;
  RouteCache cache(&index, 0);
  Apply(&index, Edit("a", 1, 1));
  Apply(&index, Edit("a", 2, 1));
  Apply(&index, Edit("#", 3, 2));
  const Route& route = cache.Find("a");
  EXPECT_TRUE(route.local.empty());
  EXPECT_EQ(route.remote.size(), 2u);
}

TEST(RouteCache, StartsAnewAtItsLimit) {
  SubscriptionIndex index;
  RouteCache cache(&index, 0);
  Apply(&index, Edit("#", 1));
  for (std::size_t i = 0; i < kMaxCachedRoutes + 10; ++i) {
    ASSERT_EQ(cache.Find("t/" + std::to_string(i)).local.size(), 1u);
  }
}

TEST(SubscriptionIndex, ReplacesASessionsSubscriptionToTheSameFilter) {
  SubscriptionIndex index;
  Apply(&index, Edit("a", 1, 0, mqtt::Qos::k0));
  Apply(&index, Edit("a", 1, 0, mqtt::Qos::k2));
  SubscriptionIndex::View view;
  index.Refresh(&view);
  ASSERT_EQ((*view.trie.Find("a"))->size(), 1u);
  EXPECT_EQ((*view.trie.Find("a"))->front().qos, mqtt::Qos::k2);
}

}  // namespace
}  // namespace atalaya::cloud_server
