#include "stress/roster.h"

#include <gtest/gtest.h>

#include <set>

namespace atalaya::stress {
namespace {

Scenario WithFlow(std::int64_t publishers, std::int64_t subscribers, std::int64_t topics,
                  bool all = false, bool shared = false) {
  Scenario scenario;
  Flow flow;
  flow.publishers = publishers;
  flow.subscribers = subscribers;
  flow.topics = topics;
  flow.subscribe_all = all;
  flow.shared = shared;
  scenario.flows = {flow};
  return scenario;
}

TEST(Roster, GivesEveryMemberToOneWorker) {
  Scenario scenario = WithFlow(7, 5, 3);
  scenario.flows[0].idle = 4;
  const Roster roster(&scenario, 1, 3);
  std::set<std::string> ids;
  std::size_t count = 0;
  for (std::size_t worker = 0; worker < 3; ++worker) {
    for (const Member& member : roster.MembersOf(worker)) {
      ids.insert(roster.ClientId(member));
      ++count;
    }
  }
  EXPECT_EQ(count, 16u);
  EXPECT_EQ(ids.size(), 16u);
}

TEST(Roster, KeepsAPairOnOneWorker) {
  const Scenario scenario = WithFlow(8, 8, 8);
  const Roster roster(&scenario, 1, 2);
  for (std::size_t worker = 0; worker < 2; ++worker) {
    std::set<std::uint32_t> listeners, speakers;
    for (const Member& member : roster.MembersOf(worker)) {
      (member.role == Role::kSubscriber ? listeners : speakers).insert(member.index);
    }
    EXPECT_EQ(listeners, speakers);
  }
}

TEST(Roster, LinksEachSubscriberToThePublishersOfItsTopic) {
  const Scenario scenario = WithFlow(7, 4, 3);
  const Roster roster(&scenario, 1, 1);
  std::size_t deliveries = 0;
  for (std::uint32_t index = 0; index < 4; ++index) {
    const Member subscriber{Role::kSubscriber, 0, index};
    for (std::size_t link = 0; link < roster.LinkCount(subscriber); ++link) {
      const std::uint32_t publisher = roster.PublisherOf(subscriber, link);
      ASSERT_LT(publisher, 7u);
      EXPECT_EQ(roster.LinkOf(subscriber, publisher), link);
      EXPECT_EQ(roster.Topic({Role::kPublisher, 0, publisher}), roster.Filter(subscriber));
      ++deliveries;
    }
  }
  std::size_t heard = 0;
  for (std::uint32_t i = 0; i < 7; ++i) heard += roster.ListenersOf({Role::kPublisher, 0, i});
  EXPECT_EQ(deliveries, heard);
  EXPECT_FALSE(roster.LinkOf({Role::kSubscriber, 0, 0}, 1).has_value());
}

TEST(Roster, LetsEachSubscriberHearAllThroughAWildcard) {
  const Scenario scenario = WithFlow(5, 3, 5, true, true);
  const Roster roster(&scenario, 0xab, 1);
  const Member subscriber{Role::kSubscriber, 0, 2};
  EXPECT_EQ(roster.LinkCount(subscriber), 5u);
  EXPECT_EQ(roster.Filter(subscriber), "$share/stress-000000ab-0/atalaya/stress/000000ab/0/+");
  EXPECT_EQ(roster.ListenersOf({Role::kPublisher, 0, 4}), 1u);  // They take turns.
}

}  // namespace
}  // namespace atalaya::stress
