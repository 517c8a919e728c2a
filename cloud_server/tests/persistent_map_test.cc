#include "cloud_server/persistent_map.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace atalaya::cloud_server {
namespace {

std::map<std::string, int> Contents(const PersistentMap<int>& map) {
  std::map<std::string, int> contents;
  map.ForEach([&](std::string_view key, int value) { contents.emplace(key, value); });
  return contents;
}

TEST(PersistentMap, AgreesWithAnOrderedMapThroughRandomChanges) {
  std::mt19937 random(7);
  PersistentMap<int> map;
  std::map<std::string, int> model;
  for (int step = 0; step < 20'000; ++step) {
    const std::string key = std::to_string(random() % 500);
    if (random() % 3 == 0) {
      map = map.Without(key);
      model.erase(key);
    } else {
      map = map.With(key, step);
      model[key] = step;
    }
    const int* found = map.Find(key);
    const auto expected = model.find(key);
    ASSERT_EQ(found != nullptr, expected != model.end()) << key;
    if (found == nullptr) continue;
    ASSERT_EQ(*found, expected->second);
  }
  EXPECT_EQ(Contents(map), model);
  for (const auto& entry : model) map = map.Without(entry.first);
  EXPECT_TRUE(map.empty());
}

TEST(PersistentMap, KeepsOldMapsAsTheyWere) {
  PersistentMap<int> before;
  for (int i = 0; i < 100; ++i) before = before.With(std::to_string(i), i);
  const std::map<std::string, int> contents = Contents(before);
  PersistentMap<int> after = before;
  for (int i = 0; i < 100; i += 2) after = after.Without(std::to_string(i)).With("new", i);
  EXPECT_EQ(Contents(before), contents);
  EXPECT_EQ(Contents(after).size(), 51u);
}

}  // namespace
}  // namespace atalaya::cloud_server
