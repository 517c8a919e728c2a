#pragma once

#include <bit>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cloud_server/hash.h"

namespace atalaya::cloud_server {

// An immutable map from strings: With and Without return a new map that shares all but the path to
// the change, so that readers keep what they hold. A hash array mapped trie, 32 ways a node
// (Bagwell, Ideal Hash Trees, 2001). Threads: any, as each map is immutable.
template <typename Value>
class PersistentMap {
 public:
  bool empty() const { return root_ == nullptr; }

  // nullptr where absent; valid as long as this map or one made from it that still has the key.
  const Value* Find(std::string_view key) const {
    const std::uint64_t hash = HashBytes(key);
    const Item* item = root_.get();
    for (unsigned shift = 0; item != nullptr; shift += kBits) {
      if (item->is_leaf) return FindInLeaf(*item, hash, key);
      const std::uint32_t bit = BitOf(hash, shift);
      if ((item->bitmap & bit) == 0) return nullptr;
      item = item->children[IndexOf(item->bitmap, bit)].get();
    }
    return nullptr;
  }

  PersistentMap With(std::string_view key, Value value) const {
    return PersistentMap(Insert(root_, 0, HashBytes(key), key, std::move(value)));
  }

  PersistentMap Without(std::string_view key) const {
    return PersistentMap(Erase(root_, 0, HashBytes(key), key));
  }

  // Calls visit(key, value) for each entry, in no order.
  template <typename Visit>
  void ForEach(const Visit& visit) const {
    if (root_ != nullptr) Walk(*root_, visit);
  }

  PersistentMap() = default;

 private:
  static constexpr unsigned kBits = 5;
  static constexpr unsigned kHashBits = 64;

  struct Item;
  using Ref = std::shared_ptr<const Item>;
  struct Item {
    bool is_leaf = false;
    std::uint32_t bitmap = 0;
    std::uint64_t hash = 0;                              // Of a leaf.
    std::vector<Ref> children;                           // Of a branch, one for each bit set.
    std::vector<std::pair<std::string, Value>> entries;  // Of a leaf: more than one on a collision.
  };

  explicit PersistentMap(Ref root) : root_(std::move(root)) {}

  static std::uint32_t BitOf(std::uint64_t hash, unsigned shift) {
    return shift >= kHashBits ? 1u : 1u << (hash >> shift & 31u);
  }
  static std::size_t IndexOf(std::uint32_t bitmap, std::uint32_t bit) {
    return static_cast<std::size_t>(std::popcount(bitmap & (bit - 1)));
  }

  static const Value* FindInLeaf(const Item& leaf, std::uint64_t hash, std::string_view key) {
    if (leaf.hash != hash) return nullptr;
    for (const auto& [name, value] : leaf.entries) {
      if (name == key) return &value;
    }
    return nullptr;
  }

  static Ref NewLeaf(std::uint64_t hash, std::string_view key, Value value) {
    auto leaf = std::make_shared<Item>();
    leaf->is_leaf = true;
    leaf->hash = hash;
    leaf->entries.emplace_back(std::string(key), std::move(value));
    return leaf;
  }

  // A branch that tells two leaves of different hashes apart.
  static Ref Split(const Ref& a, const Ref& b, unsigned shift) {
    auto branch = std::make_shared<Item>();
    const std::uint32_t bit_a = BitOf(a->hash, shift);
    const std::uint32_t bit_b = BitOf(b->hash, shift);
    branch->bitmap = bit_a | bit_b;
    if (bit_a == bit_b) {
      branch->children.push_back(Split(a, b, shift + kBits));
    } else if (bit_a < bit_b) {
      branch->children = {a, b};
    } else {
      branch->children = {b, a};
    }
    return branch;
  }

  static Ref Insert(const Ref& item, unsigned shift, std::uint64_t hash, std::string_view key,
                    Value value) {
    if (item == nullptr) return NewLeaf(hash, key, std::move(value));
    if (item->is_leaf) {
      if (item->hash != hash) return Split(item, NewLeaf(hash, key, std::move(value)), shift);
      auto leaf = std::make_shared<Item>(*item);
      for (auto& [name, old] : leaf->entries) {
        if (name != key) continue;
        old = std::move(value);
        return leaf;
      }
      leaf->entries.emplace_back(std::string(key), std::move(value));
      return leaf;
    }
    auto branch = std::make_shared<Item>(*item);
    const std::uint32_t bit = BitOf(hash, shift);
    const std::size_t index = IndexOf(branch->bitmap, bit);
    if ((branch->bitmap & bit) != 0) {
      branch->children[index] =
          Insert(branch->children[index], shift + kBits, hash, key, std::move(value));
    } else {
      branch->bitmap |= bit;
      branch->children.insert(branch->children.begin() + static_cast<std::ptrdiff_t>(index),
                              NewLeaf(hash, key, std::move(value)));
    }
    return branch;
  }

  static Ref Erase(const Ref& item, unsigned shift, std::uint64_t hash, std::string_view key) {
    if (item == nullptr) return nullptr;
    if (item->is_leaf) {
      if (FindInLeaf(*item, hash, key) == nullptr) return item;
      if (item->entries.size() == 1) return nullptr;
      auto leaf = std::make_shared<Item>(*item);
      std::erase_if(leaf->entries, [key](const auto& entry) { return entry.first == key; });
      return leaf;
    }
    const std::uint32_t bit = BitOf(hash, shift);
    if ((item->bitmap & bit) == 0) return item;
    const std::size_t index = IndexOf(item->bitmap, bit);
    Ref child = Erase(item->children[index], shift + kBits, hash, key);
    if (child == item->children[index]) return item;
    if (child == nullptr && item->children.size() == 1) return nullptr;
    // A lone leaf moves up, so that a map that shrank is as flat as one that never grew.
    if (child != nullptr && child->is_leaf && item->children.size() == 1) return child;
    auto branch = std::make_shared<Item>(*item);
    if (child != nullptr) {
      branch->children[index] = std::move(child);
      return branch;
    }
    branch->bitmap &= ~bit;
    branch->children.erase(branch->children.begin() + static_cast<std::ptrdiff_t>(index));
    if (branch->children.size() == 1 && branch->children[0]->is_leaf) return branch->children[0];
    return branch;
  }

  template <typename Visit>
  static void Walk(const Item& item, const Visit& visit) {
    for (const auto& [name, value] : item.entries) visit(std::string_view(name), value);
    for (const Ref& child : item.children) Walk(*child, visit);
  }

  Ref root_;
};

}  // namespace atalaya::cloud_server
