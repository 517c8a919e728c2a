#include "exporter/name_filter.h"

#include <re2/re2.h>

namespace atalaya::exporter {
namespace {

constexpr std::int64_t kMaxRegexBytes = 1 << 20;  // Names are few, and each is looked at once.

}  // namespace

struct NameFilter::Impl {
  explicit Impl(const std::string& pattern) : regex(pattern, Options()) {}
  static re2::RE2::Options Options() {
    re2::RE2::Options options(re2::RE2::Quiet);
    options.set_max_mem(kMaxRegexBytes);
    return options;
  }
  re2::RE2 regex;
};

NameFilter::NameFilter() = default;
NameFilter::NameFilter(NameFilter&&) noexcept = default;
NameFilter& NameFilter::operator=(NameFilter&&) noexcept = default;
NameFilter::~NameFilter() = default;

Result<NameFilter> NameFilter::Create(const std::string& pattern, std::string_view flag) {
  NameFilter filter;
  if (pattern.empty()) return filter;
  filter.impl_ = std::make_unique<Impl>(pattern);
  if (!filter.impl_->regex.ok()) {
    return Fail(ErrorCode::kInvalid, "--{}: \"{}\" is not a regular expression: {}", flag, pattern,
                filter.impl_->regex.error());
  }
  return filter;
}

bool NameFilter::Matches(std::string_view name) const {
  return impl_ != nullptr &&
         re2::RE2::PartialMatch(re2::StringPiece(name.data(), name.size()), impl_->regex);
}

Result<NameChoice> NameChoice::Create(const NamePatterns& patterns, const std::string& flag) {
  NameChoice choice;
  if (!patterns.include.empty() && !patterns.exclude.empty()) {
    return Fail(ErrorCode::kInvalid, "--{}-include and --{}-exclude cannot be used together", flag,
                flag);
  }
  Result<NameFilter> include = NameFilter::Create(patterns.include, flag + "-include");
  if (!include) return Forward(include.error());
  Result<NameFilter> exclude = NameFilter::Create(patterns.exclude, flag + "-exclude");
  if (!exclude) return Forward(exclude.error());
  choice.include_ = std::move(*include);
  choice.exclude_ = std::move(*exclude);
  choice.only_included_ = !patterns.include.empty();
  return choice;
}

bool NameChoice::Wants(std::string_view name) const {
  return only_included_ ? include_.Matches(name) : !exclude_.Matches(name);
}

}  // namespace atalaya::exporter
