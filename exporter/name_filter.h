#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace atalaya::exporter {

// A pattern that says which names a collector leaves out, in Go's syntax (RE2), unanchored, as
// node_exporter's flags take it. The empty pattern leaves out nothing.
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

}  // namespace atalaya::exporter
