#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace atalaya::telemetry {

inline constexpr std::string_view kMetricName = "__name__";

// A set of labels, sorted by name, each name once, no empty value (an empty value is no label, as
// in Prometheus).
class Labels {
 public:
  using Pair = std::pair<std::string, std::string>;

  Labels() = default;
  explicit Labels(std::vector<Pair> pairs);  // Sorts; of a doubled name the last one counts.

  std::string_view Get(std::string_view name) const;  // "" where absent.
  bool Has(std::string_view name) const { return !Get(name).empty(); }
  void Set(std::string_view name, std::string_view value);  // An empty value removes.
  void Remove(std::string_view name) { Set(name, ""); }

  bool empty() const { return pairs_.empty(); }
  std::size_t size() const { return pairs_.size(); }
  auto begin() const { return pairs_.begin(); }
  auto end() const { return pairs_.end(); }
  const std::vector<Pair>& pairs() const { return pairs_; }

  // `up{instance="a:1", job="node"}`, as Prometheus writes it: the metric name in front where it is
  // a legacy one.
  std::string ToString() const;

  // 64-bit FNV-1a over names and values with separators: the same on every run and machine, so it
  // may be stored.
  std::uint64_t Hash() const;

  friend bool operator==(const Labels&, const Labels&) = default;
  friend auto operator<=>(const Labels& a, const Labels& b) { return a.pairs_ <=> b.pairs_; }

 private:
  std::vector<Pair> pairs_;
};

}  // namespace atalaya::telemetry

template <>
struct std::hash<atalaya::telemetry::Labels> {
  std::size_t operator()(const atalaya::telemetry::Labels& labels) const { return labels.Hash(); }
};
