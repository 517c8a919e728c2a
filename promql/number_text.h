#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace atalaya::promql {

// Numbers as Prometheus writes them: the shortest digits that read back as the same double, "NaN",
// "+Inf" and "-Inf" for the rest.
std::string FixedText(double value);    // Never an exponent: as label values and in JSON.
std::string LiteralText(double value);  // An exponent below 1e-4 and from 1e21: in expressions.
std::string CompactText(double value);  // An exponent below 1e-4 and from 1e6, in C's %g manner.

// A Go-quoted string: `"a\nb"`, invalid UTF-8 as \x bytes.
std::string QuotedText(std::string_view text);

// "5m30s" and the like to seconds; "90" and other number forms (hex, underscores, exponents, Inf,
// NaN) to their value. Empty where `text` is neither. `is_duration` tells which it was.
struct ParsedNumber {
  double value = 0;
  bool is_duration = false;
};
std::optional<ParsedNumber> ParseNumberText(std::string_view text);

}  // namespace atalaya::promql
