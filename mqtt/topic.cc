#include "mqtt/topic.h"

#include <cstdint>
#include <cstring>

namespace atalaya::mqtt {
namespace {

// Printable ASCII, eight bytes at a time: the case of nearly every topic.
std::size_t PrintableAsciiPrefix(std::string_view text) {
  constexpr std::uint64_t kOnes = 0x0101010101010101;
  constexpr std::uint64_t kHighs = 0x8080808080808080;
  std::size_t at = 0;
  for (; at + 8 <= text.size(); at += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, text.data() + at, 8);
    const std::uint64_t below_space = (word - kOnes * 0x20) & ~word;
    const std::uint64_t is_del = (word ^ (kOnes * 0x7F)) - kOnes;
    if (((below_space | is_del | word) & kHighs) != 0) break;
  }
  while (at < text.size() && text[at] >= 0x20 && text[at] < 0x7F) ++at;
  return at;
}

// Length of the well-formed, permitted multi-byte character at the front, or 0. The ranges are
// those of the Unicode standard's table of well-formed UTF-8 byte sequences (table 3-7).
std::size_t MultiByteLength(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
  const auto continues = [&](std::size_t i) { return i < text.size() && (byte(i) & 0xC0) == 0x80; };
  const std::uint8_t lead = byte(0);
  if (lead >= 0xC2 && lead <= 0xDF) {
    if (!continues(1)) return 0;
    return lead == 0xC2 && byte(1) <= 0x9F ? 0 : 2;
  }
  std::uint32_t code = 0;
  std::size_t length = 0;
  if (lead >= 0xE0 && lead <= 0xEF) {
    if (!continues(1) || !continues(2)) return 0;
    code = (lead & 0x0Fu) << 12 | (byte(1) & 0x3Fu) << 6 | (byte(2) & 0x3Fu);
    if (code < 0x800 || (code >= 0xD800 && code <= 0xDFFF)) return 0;
    length = 3;
  } else if (lead >= 0xF0 && lead <= 0xF4) {
    if (!continues(1) || !continues(2) || !continues(3)) return 0;
    code =
        (lead & 0x07u) << 18 | (byte(1) & 0x3Fu) << 12 | (byte(2) & 0x3Fu) << 6 | (byte(3) & 0x3Fu);
    if (code < 0x10000 || code > 0x10FFFF) return 0;
    length = 4;
  }
  const bool is_noncharacter = (code & 0xFFFE) == 0xFFFE || (code >= 0xFDD0 && code <= 0xFDEF);
  return is_noncharacter ? 0 : length;
}

std::string_view TakeLevel(std::string_view* rest, bool* more) {
  const std::size_t slash = rest->find('/');
  const std::string_view level = rest->substr(0, slash);
  *more = slash != std::string_view::npos;
  rest->remove_prefix(*more ? slash + 1 : rest->size());
  return level;
}

}  // namespace

bool IsValidUtf8(std::string_view text) {
  while (true) {
    text.remove_prefix(PrintableAsciiPrefix(text));
    if (text.empty()) return true;
    if (static_cast<std::uint8_t>(text.front()) < 0x80) return false;
    const std::size_t length = MultiByteLength(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
}

bool IsValidTopicName(std::string_view topic) {
  if (topic.empty() || topic.size() > kMaxTopicBytes) return false;
  bool is_plain = true;
  for (const char c : topic) is_plain &= c != '#' && c != '+' && c != '\0';
  return is_plain;
}

bool IsValidTopicFilter(std::string_view filter) {
  if (filter.empty() || filter.size() > kMaxTopicBytes) return false;
  if (filter.find('\0') != std::string_view::npos) return false;
  bool more = true;
  while (more) {
    const std::string_view level = TakeLevel(&filter, &more);
    if (level.find_first_of("#+") == std::string_view::npos) continue;
    if (level == "#") return !more;
    if (level != "+") return false;
  }
  return true;
}

SharedFilter ParseShared(std::string_view filter) {
  constexpr std::string_view kPrefix = "$share/";
  SharedFilter shared;
  if (!filter.starts_with(kPrefix)) return shared;
  shared.is_shared = true;
  filter.remove_prefix(kPrefix.size());
  const std::size_t slash = filter.find('/');
  if (slash == std::string_view::npos) return shared;
  shared.group = filter.substr(0, slash);
  shared.filter = filter.substr(slash + 1);
  shared.is_valid = !shared.group.empty() &&
                    shared.group.find_first_of("#+") == std::string_view::npos &&
                    IsValidTopicFilter(shared.filter);
  return shared;
}

bool TopicMatches(std::string_view filter, std::string_view topic) {
  if (topic.starts_with('$') && (filter.starts_with('#') || filter.starts_with('+'))) return false;
  bool filter_more = true;
  bool topic_more = true;
  while (true) {
    const std::string_view wanted = TakeLevel(&filter, &filter_more);
    if (wanted == "#") return true;
    const std::string_view level = TakeLevel(&topic, &topic_more);
    if (wanted != "+" && wanted != level) return false;
    if (!topic_more) return !filter_more || filter == "#";  // "a/#" matches "a" as well.
    if (!filter_more) return false;
  }
}

}  // namespace atalaya::mqtt
