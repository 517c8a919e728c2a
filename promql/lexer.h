#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "promql/ast.h"

namespace atalaya::promql {

struct Token {
  enum class Kind : std::uint8_t {
    kEnd,
    kNumber,      // `text` as written.
    kString,      // `text` unescaped.
    kIdentifier,  // Keywords too: what is one depends on where it stands.
    kMetricName,  // An identifier with a colon in it.
    kSymbol       // `text` is the symbol: "(", "=~", "+" ...
  };
  Kind kind = Kind::kEnd;
  std::string text;
  Place place;
  std::uint32_t begin = 0;  // Byte offsets in the query.
  std::uint32_t end = 0;
};

// Splits a query into tokens; the last one is kEnd. kInvalid with the place in front on characters
// and strings that no query can hold.
Result<std::vector<Token>> Tokenize(std::string_view query);

// Reads the string literal that begins at `text[*position]` with a quote, and moves past it. The
// error has no place in front.
Result<std::string> ReadStringLiteral(std::string_view text, std::size_t* position);

// `message` after the place, as `1:5: parse error: message`; without one where it was built by
// hand.
tl::unexpected<Error> FailAt(Place place, std::string_view message,
                             ErrorCode code = ErrorCode::kInvalid);

}  // namespace atalaya::promql
