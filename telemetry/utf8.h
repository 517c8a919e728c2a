#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace atalaya::telemetry {

// How many bytes at the beginning of `text` are whole, valid UTF-8 (RFC 3629: no surrogates, no
// overlong forms, nothing above U+10FFFF). All of it is valid where that is text.size().
std::size_t ValidUtf8Prefix(std::string_view text);

// Appends the character of a code point up to U+10FFFF; a surrogate becomes bytes that are no valid
// UTF-8.
void AppendUtf8(std::string& text, std::uint32_t code_point);

inline bool IsUtf8(std::string_view text) { return ValidUtf8Prefix(text) == text.size(); }

}  // namespace atalaya::telemetry
