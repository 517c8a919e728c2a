#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "telemetry/labels.h"

namespace atalaya::alertd {

// Text with `{{ $labels.NAME }}`, `{{ $value }}` and `{{ FUNCTION ARGUMENT }}`, where FUNCTION is
// `humanize` or `humanize1024`, as in Prometheus's templates. A label that is absent is "".
// Threads: any.
class TextTemplate {
 public:
  TextTemplate() = default;

  // kInvalid with the offset of the fault, from 1: `1:9: unknown function "humanise"; did you mean
  // "humanize"?`.
  static Result<TextTemplate> Parse(std::string_view text);

  // `{{ $labels.x }}` as it was written, for people and the API.
  const std::string& source() const { return source_; }

  // Never fails: where a function cannot be applied (`humanize` of a label that is no number), the
  // plain text stays and the error stands in its place.
  std::string Expand(const telemetry::Labels& labels, double value) const;

 private:
  enum class Kind { kText, kLabel, kValue };
  struct Part {
    Kind kind = Kind::kText;
    std::string text;      // The text, or the label's name.
    std::string function;  // "" for none.
  };
  std::string source_;
  std::vector<Part> parts_;
};

}  // namespace atalaya::alertd
