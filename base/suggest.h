#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace atalaya {

// The candidate nearest to `word` by edit distance (a swap counts one), or "" where none is near
// enough to be meant: at most half the word's length, and three edits, away.
std::string Nearest(std::string_view word, const std::vector<std::string>& candidates);

// `; did you mean "severity"?`, or "" where nothing is near.
std::string DidYouMean(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace atalaya
