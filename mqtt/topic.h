#pragma once

#include <string_view>

namespace atalaya::mqtt {

// The longest topic name or filter: its length has two bytes.
inline constexpr std::size_t kMaxTopicBytes = 65'535;

// Well-formed UTF-8 without U+0000, control characters (U+0001-U+001F, U+007F-U+009F) and
// noncharacters; the standard lets a receiver refuse the latter two (3.1.1 and 5.0, section 1.5).
bool IsValidUtf8(std::string_view text);

// Not empty, not too long, no '#', '+' or U+0000. UTF-8 is not checked here.
bool IsValidTopicName(std::string_view topic);

// Not empty, not too long, '+' only as a whole level, '#' only as the last whole level. UTF-8 is
// not checked here. Shared subscriptions are not looked into: see ParseShared.
bool IsValidTopicFilter(std::string_view filter);

// "$share/GROUP/FILTER" taken apart (5.0, section 4.8.2).
struct SharedFilter {
  bool is_shared = false;  // Begins with "$share/".
  bool is_valid = false;   // Where it is shared: group and filter are right.
  std::string_view group;
  std::string_view filter;
};
SharedFilter ParseShared(std::string_view filter);

// Whether a valid filter matches a valid topic name; a filter that begins with a wildcard matches
// no topic that begins with '$' (section 4.7.2).
bool TopicMatches(std::string_view filter, std::string_view topic);

}  // namespace atalaya::mqtt
