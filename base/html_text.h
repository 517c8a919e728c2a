#pragma once

#include <string>
#include <string_view>

namespace atalaya {

// `text` as it may stand in HTML and SVG, in content and in quoted attributes. Control characters
// that XML forbids become U+FFFD.
std::string EscapeHtml(std::string_view text);

}  // namespace atalaya
