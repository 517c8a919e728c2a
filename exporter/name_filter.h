#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace atalaya::exporter {

// A pattern of names in Go's syntax (RE2), unanchored, as node_exporter's flags take it. The empty
// pattern matches nothing.
// Threads: any.
class NameFilter {
 public:
  // kInvalid, naming `flag`, where `pattern` is no regular expression.
  static Result<NameFilter> Create(const std::string& pattern, std::string_view flag);
  NameFilter();
  NameFilter(NameFilter&&) noexcept;
  NameFilter& operator=(NameFilter&&) noexcept;
  ~NameFilter();

  bool Matches(std::string_view name) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// The two flags of a collector that choose devices; at most one of them may be given.
struct NamePatterns {
  std::string include;
  std::string exclude;
};

// Threads: any.
class NameChoice {
 public:
  // kInvalid on a bad pattern, or on both; `flag` is what stands before "-include" and "-exclude":
  // "collector.arp.device".
  static Result<NameChoice> Create(const NamePatterns& patterns, const std::string& flag);

  bool Wants(std::string_view name) const;

 private:
  NameFilter include_;
  NameFilter exclude_;
  bool only_included_ = false;
};

}  // namespace atalaya::exporter
