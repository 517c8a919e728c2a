#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "telemetry/series_source.h"

namespace atalaya::promql {

// A regular expression as PromQL takes it: RE2, anchored at both ends, `.` matches a newline too.
// Threads: any.
class Regex {
 public:
  // kInvalid with RE2's words.
  static Result<Regex> Compile(std::string_view pattern);
  Regex(Regex&&) noexcept;
  Regex& operator=(Regex&&) noexcept;
  ~Regex();

  bool Matches(std::string_view text) const;

  // Where `text` matches: `replacement` with $1, ${1} and ${name} replaced by what they caught and
  // $$ by a dollar sign, as Go's regexp.Expand does.
  bool Expand(std::string_view text, std::string_view replacement, std::string* expanded) const;

 private:
  struct Impl;
  explicit Regex(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// A matcher ready to be asked. The parser has checked the pattern of one from a tree; a bad one
// matches nothing.
class CompiledMatcher {
 public:
  explicit CompiledMatcher(const telemetry::Matcher& matcher);
  bool Matches(const telemetry::Labels& labels) const;
  bool MatchesValue(std::string_view value) const;

 private:
  telemetry::Matcher matcher_;
  std::shared_ptr<const Regex> regex_;
};

}  // namespace atalaya::promql
