#include "promql/regex.h"

#include <re2/re2.h>

#include <charconv>
#include <map>
#include <vector>

namespace atalaya::promql {

using telemetry::Matcher;

struct Regex::Impl {
  explicit Impl(const std::string& pattern, const re2::RE2::Options& options)
      : re(pattern, options) {}
  re2::RE2 re;
};

namespace {

constexpr std::int64_t kRegexMemoryBytes = 8 << 20;

bool IsWord(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

// The variable name after a '$' at `text[0]`, and the bytes that it takes with the dollar; 0 where
// there is none.
std::size_t ReadVariable(std::string_view text, std::string_view* name) {
  const bool braces = text.size() > 1 && text[1] == '{';
  const std::size_t begin = braces ? 2 : 1;
  std::size_t end = begin;
  while (end < text.size() && IsWord(text[end])) ++end;
  if (end == begin) return 0;
  *name = text.substr(begin, end - begin);
  if (!braces) return end;
  return end < text.size() && text[end] == '}' ? end + 1 : 0;
}

// The group's number, or -1.
int GroupNumber(const re2::RE2& re, std::string_view name) {
  int number = -1;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  if (error == std::errc() && end == name.data() + name.size()) return number;
  const auto& names = re.NamedCapturingGroups();
  const auto it = names.find(std::string(name));
  return it == names.end() ? -1 : it->second;
}

}  // namespace

Regex::Regex(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Regex::Regex(Regex&&) noexcept = default;
Regex& Regex::operator=(Regex&&) noexcept = default;
Regex::~Regex() = default;

Result<Regex> Regex::Compile(std::string_view pattern) {
  re2::RE2::Options options;
  options.set_log_errors(false);
  options.set_dot_nl(true);
  options.set_max_mem(kRegexMemoryBytes);
  auto impl = std::make_unique<Impl>(std::string(pattern), options);
  if (!impl->re.ok()) return Fail(ErrorCode::kInvalid, "{}", impl->re.error());
  return Regex(std::move(impl));
}

bool Regex::Matches(std::string_view text) const {
  return re2::RE2::FullMatch({text.data(), text.size()}, impl_->re);
}

bool Regex::Expand(std::string_view text, std::string_view replacement,
                   std::string* expanded) const {
  const int groups = impl_->re.NumberOfCapturingGroups() + 1;
  std::vector<re2::StringPiece> caught(static_cast<std::size_t>(groups));
  if (!impl_->re.Match({text.data(), text.size()}, 0, text.size(), re2::RE2::ANCHOR_BOTH,
                       caught.data(), groups)) {
    return false;
  }
  expanded->clear();
  while (!replacement.empty()) {
    if (replacement.starts_with("$$")) {
      *expanded += '$';
      replacement.remove_prefix(2);
      continue;
    }
    std::string_view name;
    const std::size_t taken = replacement[0] == '$' ? ReadVariable(replacement, &name) : 0;
    if (taken == 0) {
      *expanded += replacement[0];
      replacement.remove_prefix(1);
      continue;
    }
    const int group = GroupNumber(impl_->re, name);
    if (group >= 0 && group < groups) {
      const auto& piece = caught[static_cast<std::size_t>(group)];
      expanded->append(piece.data(), piece.size());
    }
    replacement.remove_prefix(taken);
  }
  return true;
}

CompiledMatcher::CompiledMatcher(const Matcher& matcher) : matcher_(matcher) {
  if (matcher.kind != Matcher::Kind::kRegex && matcher.kind != Matcher::Kind::kNotRegex) return;
  if (Result<Regex> regex = Regex::Compile(matcher.value)) {
    regex_ = std::make_shared<const Regex>(std::move(*regex));
  }
}

bool CompiledMatcher::Matches(const telemetry::Labels& labels) const {
  return MatchesValue(labels.Get(matcher_.name));
}

bool CompiledMatcher::MatchesValue(std::string_view value) const {
  switch (matcher_.kind) {
    case Matcher::Kind::kEqual:
      return value == matcher_.value;
    case Matcher::Kind::kNotEqual:
      return value != matcher_.value;
    case Matcher::Kind::kRegex:
      return regex_ && regex_->Matches(value);
    case Matcher::Kind::kNotRegex:
      return regex_ && !regex_->Matches(value);
  }
  return false;
}

}  // namespace atalaya::promql
