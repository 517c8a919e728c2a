#pragma once

#include <memory>
#include <string_view>
#include <utility>

#include "cloud_server/own_topics.h"
#include "cloud_server/persistent_map.h"

namespace atalaya::cloud_server {

// The deepest topic or filter that is stored, in levels; a path of 65,535 slashes would otherwise
// cost as many nodes, and as many stack frames to free them.
inline constexpr std::size_t kMaxTopicLevels = 200;

inline std::size_t CountLevels(std::string_view path) {
  std::size_t levels = 1;
  for (const char c : path) levels += c == '/' ? 1 : 0;
  return levels;
}

// An immutable tree over '/'-separated levels, for filters or for topics; changes copy the path to
// the root and share the rest. Value must be cheap to copy. Threads: any.
template <typename Value>
class LevelTrie {
 public:
  LevelTrie() = default;

  const Value* Find(std::string_view path) const {
    const Node* node = root_.get();
    bool more = true;
    while (node != nullptr && more) {
      const std::shared_ptr<const Node>* child = node->children.Find(TakeLevel(&path, &more));
      node = child == nullptr ? nullptr : child->get();
    }
    return node != nullptr && node->has_value ? &node->value : nullptr;
  }

  // `path` has at most kMaxTopicLevels levels.
  LevelTrie With(std::string_view path, Value value) const {
    return LevelTrie(Set(root_, path, true, std::move(value)));
  }
  LevelTrie Without(std::string_view path) const {
    return Find(path) == nullptr ? *this : LevelTrie(Clear(root_, path, true));
  }

  // Where the paths are filters: visits the value of each that matches `topic` (MQTT 5.0, 4.7, and
  // IsHiddenFromWildcards).
  template <typename Visit>
  void MatchTopic(std::string_view topic, const Visit& visit) const {
    if (root_ != nullptr) MatchTopicAt(*root_, topic, true, IsHiddenFromWildcards(topic), visit);
  }

  // Visits every value.
  template <typename Visit>
  void ForEach(const Visit& visit) const {
    if (root_ != nullptr) VisitAll(*root_, false, visit);
  }

  // Where the paths are topics: visits the value of each that `filter` matches.
  template <typename Visit>
  void MatchFilter(std::string_view filter, const Visit& visit) const {
    if (root_ != nullptr) MatchFilterAt(*root_, filter, true, true, visit);
  }

 private:
  struct Node {
    PersistentMap<std::shared_ptr<const Node>> children;
    bool has_value = false;
    Value value{};
  };
  using Ref = std::shared_ptr<const Node>;

  explicit LevelTrie(Ref root) : root_(std::move(root)) {}

  static std::string_view TakeLevel(std::string_view* rest, bool* more) {
    const std::size_t slash = rest->find('/');
    const std::string_view level = rest->substr(0, slash);
    *more = slash != std::string_view::npos;
    rest->remove_prefix(*more ? slash + 1 : rest->size());
    return level;
  }

  static Ref Set(const Ref& node, std::string_view rest, bool more, Value value) {
    auto changed = node == nullptr ? std::make_shared<Node>() : std::make_shared<Node>(*node);
    if (!more) {
      changed->has_value = true;
      changed->value = std::move(value);
      return changed;
    }
    const std::string_view level = TakeLevel(&rest, &more);
    const Ref* child = changed->children.Find(level);
    changed->children = changed->children.With(
        level, Set(child == nullptr ? nullptr : *child, rest, more, std::move(value)));
    return changed;
  }

  static Ref Clear(const Ref& node, std::string_view rest, bool more) {
    auto changed = std::make_shared<Node>(*node);
    if (more) {
      const std::string_view level = TakeLevel(&rest, &more);
      Ref child = Clear(*changed->children.Find(level), rest, more);
      changed->children = child == nullptr ? changed->children.Without(level)
                                           : changed->children.With(level, std::move(child));
    } else {
      changed->has_value = false;
      changed->value = Value{};
    }
    return changed->has_value || !changed->children.empty() ? Ref(std::move(changed)) : nullptr;
  }

  template <typename Visit>
  static void VisitChild(const Node& node, std::string_view level, const Visit& visit) {
    const Ref* child = node.children.Find(level);
    if (child != nullptr && (*child)->has_value) visit((*child)->value);
  }

  template <typename Visit>
  static void MatchTopicAt(const Node& node, std::string_view rest, bool more, bool hide_wildcards,
                           const Visit& visit) {
    if (!hide_wildcards) VisitChild(node, "#", visit);  // "a/#" matches "a" as well.
    if (!more) {
      if (node.has_value) visit(node.value);
      return;
    }
    const std::string_view level = TakeLevel(&rest, &more);
    if (const Ref* child = node.children.Find(level); child != nullptr) {
      MatchTopicAt(**child, rest, more, false, visit);
    }
    if (hide_wildcards) return;
    if (const Ref* child = node.children.Find("+"); child != nullptr) {
      MatchTopicAt(**child, rest, more, false, visit);
    }
  }

  template <typename Visit>
  static void VisitAll(const Node& node, bool is_root, const Visit& visit) {
    if (node.has_value) visit(node.value);
    node.children.ForEach([&](std::string_view level, const Ref& child) {
      if (!(is_root && level.starts_with('$'))) VisitAll(*child, false, visit);
    });
  }

  template <typename Visit>
  static void MatchFilterAt(const Node& node, std::string_view rest, bool more, bool is_root,
                            const Visit& visit) {
    if (!more) {
      if (node.has_value) visit(node.value);
      return;
    }
    const std::string_view level = TakeLevel(&rest, &more);
    if (level == "#") return VisitAll(node, is_root, visit);
    if (level == "+") {
      node.children.ForEach([&](std::string_view name, const Ref& child) {
        if (!(is_root && name.starts_with('$'))) MatchFilterAt(*child, rest, more, false, visit);
      });
    } else if (const Ref* child = node.children.Find(level); child != nullptr) {
      MatchFilterAt(**child, rest, more, false, visit);
    }
  }

  Ref root_;
};

}  // namespace atalaya::cloud_server
