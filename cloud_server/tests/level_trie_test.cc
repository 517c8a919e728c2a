#include "cloud_server/level_trie.h"

#include <gtest/gtest.h>

#include <random>
#include <set>
#include <string>

#include "mqtt/topic.h"

namespace atalaya::cloud_server {
namespace {

std::string RandomPath(std::mt19937* random, bool with_wildcards) {
  const int levels = 1 + static_cast<int>((*random)() % 4);
  std::string path;
  for (int i = 0; i < levels; ++i) {
    if (i > 0) path += '/';
    const auto choice = (*random)() % (with_wildcards ? 7 : 5);
    if (choice == 6 && i == levels - 1) {
      path += '#';
    } else if (choice >= 5) {
      path += '+';
    } else if (choice == 4) {
      path += i == 0 ? "$SYS" : "";
    } else {
      path += static_cast<char>('a' + choice);
    }
  }
  return path.empty() ? "a" : path;
}

TEST(LevelTrie, FindsForATopicWhatMatchingOneByOneFinds) {
  std::mt19937 random(11);
  LevelTrie<std::string> trie;
  std::set<std::string> filters;
  for (int step = 0; step < 3'000; ++step) {
    const std::string filter = RandomPath(&random, true);
    if (random() % 3 == 0) {
      trie = trie.Without(filter);
      filters.erase(filter);
    } else {
      trie = trie.With(filter, filter);
      filters.insert(filter);
    }
    const std::string topic = RandomPath(&random, false);
    std::multiset<std::string> found;
    trie.MatchTopic(topic, [&](const std::string& value) { found.insert(value); });
    std::multiset<std::string> expected;
    for (const std::string& each : filters) {
      if (mqtt::TopicMatches(each, topic)) expected.insert(each);
    }
    ASSERT_EQ(found, expected) << topic;
  }
}

TEST(LevelTrie, FindsForAFilterWhatMatchingOneByOneFinds) {
  std::mt19937 random(13);
  LevelTrie<std::string> trie;
  std::set<std::string> topics;
  for (int step = 0; step < 3'000; ++step) {
    const std::string topic = RandomPath(&random, false);
    if (random() % 3 == 0) {
      trie = trie.Without(topic);
      topics.erase(topic);
    } else {
      trie = trie.With(topic, topic);
      topics.insert(topic);
    }
    const std::string filter = RandomPath(&random, true);
    std::multiset<std::string> found;
    trie.MatchFilter(filter, [&](const std::string& value) { found.insert(value); });
    std::multiset<std::string> expected;
    for (const std::string& each : topics) {
      if (mqtt::TopicMatches(filter, each)) expected.insert(each);
    }
    ASSERT_EQ(found, expected) << filter;
  }
}

TEST(LevelTrie, LeavesNothingBehindWhenAllIsTakenOut) {
  LevelTrie<int> trie;
  trie = trie.With("a/b/c", 1).With("a/b", 2).With("#", 3);
  trie = trie.Without("a/b").Without("#").Without("a/b/c").Without("never/there");
  int left = 0;
  trie.MatchFilter("#", [&](int) { ++left; });
  EXPECT_EQ(left, 0);
  EXPECT_EQ(trie.Find("a/b/c"), nullptr);
}

}  // namespace
}  // namespace atalaya::cloud_server
