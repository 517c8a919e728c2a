#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "alertd/templates/template_functions.h"
#include "base/result.h"
#include "telemetry/labels.h"

namespace atalaya::alertd {

struct TemplateNode;

// What a template speaks of.
struct TemplateData {
  telemetry::Labels labels;
  double value = 0;
  TemplateQuery query;  // May be empty: `query` fails.
};

// Text with actions of Go's text/template, as far as Prometheus's alerts use them: `{{ $labels.x
// }}`,
// `{{ $value }}`, `.Labels`, `.Value`, functions, pipelines, variables, if, range, with, comments
// and `{{-`. A label that is absent is "". Threads: any.
class TextTemplate {
 public:
  // kInvalid with the offset of the fault, from 1: `1:9: unknown function "humanise"; did you mean
  // "humanize"?`.
  static Result<TextTemplate> Parse(std::string_view text);

  // `{{ $labels.x }}` as it was written, for people and the API.
  const std::string& source() const { return source_; }

  // Never fails: where a function cannot be applied, the text as written and the error stand in its
  // place. Time and text are bounded (kMaxTemplateText).
  std::string Expand(const TemplateData& data) const;

  // With `top` as `.` and `$`; there are no other variables, and `query` fails. kInvalid where a
  // function cannot be applied or a field is not there, kLimit beyond the bounds.
  Result<std::string> ExpandOver(const TemplateValue& top) const;

 private:
  std::string source_;
  std::shared_ptr<const TemplateNode> root_;  // Null where there is only text.
};

inline constexpr std::size_t kMaxTemplateText = 64u << 10;  // Of one expansion.

}  // namespace atalaya::alertd
