#include "telemetry/labels.h"

#include <gtest/gtest.h>

#include <random>

namespace atalaya::telemetry {
namespace {

using Pairs = std::vector<Labels::Pair>;

Pairs PairsOf(const Labels& labels) {
  Pairs pairs;
  for (const auto& [name, value] : labels) pairs.emplace_back(name, value);
  return pairs;
}

TEST(Labels, AreSortedAndOfADoubledNameTheLastCounts) {
  const Labels labels({{"job", "a"}, {"__name__", "up"}, {"job", "node"}, {"empty", ""}});
  EXPECT_EQ(PairsOf(labels), (Pairs{{"__name__", "up"}, {"job", "node"}}));
  EXPECT_EQ(labels.size(), 2u);
  EXPECT_EQ(labels.Get("job"), "node");
  EXPECT_EQ(labels.Get("jo"), "");
  EXPECT_FALSE(labels.Has("empty"));
  EXPECT_TRUE(Labels(Pairs{{"a", "1"}, {"a", ""}}).empty());
}

TEST(Labels, AreSetAndRemoved) {
  Labels labels;
  labels.Set("b", "2");
  labels.Set("c", "3");
  labels.Set("a", "1");
  labels.Set("b", "two");
  labels.Remove("c");
  labels.Remove("d");
  EXPECT_EQ(PairsOf(labels), (Pairs{{"a", "1"}, {"b", "two"}}));
  labels.Set("exported_b", labels.Get("b"));
  EXPECT_EQ(labels, Labels(Pairs{{"a", "1"}, {"b", "two"}, {"exported_b", "two"}}));
}

TEST(Labels, HoldAnyBytesAndLength) {
  for (const std::size_t size : {1u, 254u, 255u, 256u, 70'000u}) {
    const std::string name(size, 'n');
    std::string value(size, '\0');
    value.back() = '\xff';
    Labels labels(Pairs{{"a", "1"}, {name, value}, {"z", "2"}});
    EXPECT_EQ(labels.Get(name), value);
    EXPECT_EQ(labels.Get("z"), "2");
    labels.Remove("a");
    EXPECT_EQ(PairsOf(labels), (Pairs{{name, value}, {"z", "2"}}));
  }
}

// Stored fingerprints of alerts rest on it.
TEST(Labels, KeepTheirHash) {
  EXPECT_EQ(Labels({{"job", "node"}, {"__name__", "up"}, {"instance", "a:1"}}).Hash(),
            0x5ac7a5dd100467dau);
}

TEST(Labels, AreOrderedAsTheirPairs) {
  std::mt19937 random(1);
  std::vector<Labels> all;
  for (int i = 0; i < 200; ++i) {
    Pairs pairs;
    for (auto left = random() % 4; left > 0; --left) {
      pairs.emplace_back(std::string(1 + random() % 2, static_cast<char>('a' + random() % 3)),
                         std::string(1 + random() % 300, static_cast<char>('x' + random() % 2)));
    }
    all.emplace_back(std::move(pairs));
  }
  for (const Labels& a : all) {
    for (const Labels& b : all) {
      EXPECT_EQ(a < b, PairsOf(a) < PairsOf(b)) << a.ToString() << b.ToString();
      EXPECT_EQ(a == b, PairsOf(a) == PairsOf(b));
    }
  }
}

}  // namespace
}  // namespace atalaya::telemetry
