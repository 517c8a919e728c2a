#include "exporter/name_filter.h"

#include <re2/re2.h>

namespace atalaya::exporter {

struct NameFilter::Impl {
  explicit Impl(const std::string& pattern) : regex(pattern, re2::RE2::Quiet) {}
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

}  // namespace atalaya::exporter
