#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace atalaya::telemetry {

inline constexpr std::string_view kMetricName = "__name__";

// A set of labels, sorted by name, each name once, no empty value (an empty value is no label, as
// in Prometheus). All of it is one string, as there are many sets and they are copied often; what
// refers into a set holds until the set changes.
class Labels {
 public:
  using Pair = std::pair<std::string, std::string>;
  using View = std::pair<std::string_view, std::string_view>;

  // Gives each label as a View.
  class Iterator {
   public:
    using iterator_category = std::input_iterator_tag;
    using value_type = View;
    using difference_type = std::ptrdiff_t;
    using pointer = const View*;
    using reference = View;

    Iterator() = default;
    View operator*() const;
    Iterator& operator++();
    Iterator operator++(int);
    friend bool operator==(const Iterator& a, const Iterator& b) { return a.at_ == b.at_; }

   private:
    friend class Labels;
    explicit Iterator(const char* at) : at_(at) {}
    const char* at_ = nullptr;
  };

  Labels() = default;
  explicit Labels(std::vector<Pair> pairs);  // Sorts; of a doubled name the last one counts.

  std::string_view Get(std::string_view name) const;  // "" where absent.
  bool Has(std::string_view name) const { return !Get(name).empty(); }
  void Set(std::string_view name, std::string_view value);  // An empty value removes.
  void Remove(std::string_view name) { Set(name, ""); }

  bool empty() const { return text_.empty(); }
  std::size_t size() const { return static_cast<std::size_t>(std::distance(begin(), end())); }
  Iterator begin() const { return Iterator(text_.data()); }
  Iterator end() const { return Iterator(text_.data() + text_.size()); }

  // `up{instance="a:1", job="node"}`, as Prometheus writes it: the metric name in front where it is
  // a legacy one.
  std::string ToString() const;

  // 64-bit FNV-1a over names and values with separators: the same on every run and machine, so it
  // may be stored.
  std::uint64_t Hash() const;

  friend bool operator==(const Labels&, const Labels&) = default;
  // By the first label that differs, its name first; of two that begin alike the shorter is less.
  friend std::strong_ordering operator<=>(const Labels& a, const Labels& b);

 private:
  std::string text_;  // Name, value, name, value and so on, the size of each in front of it.
};

}  // namespace atalaya::telemetry

template <>
struct std::hash<atalaya::telemetry::Labels> {
  std::size_t operator()(const atalaya::telemetry::Labels& labels) const { return labels.Hash(); }
};
