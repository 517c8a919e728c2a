#include "base/source_line.h"

#include <fmt/format.h>

#include <charconv>
#include <map>
#include <optional>
#include <vector>

#include "base/file.h"

namespace atalaya {
namespace {

constexpr std::size_t kMaxShown = 160;  // Bytes of a line; a longer one is not shown.

struct Place {
  std::string file;
  std::size_t line = 0;
  std::size_t column = 0;
};

std::vector<std::string_view> SplitLines(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    lines.push_back(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return lines;
}

std::optional<std::size_t> ParseCount(std::string_view text) {
  std::size_t count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (error != std::errc() || end != text.data() + text.size() || count == 0) return std::nullopt;
  return count;
}

// The place that a fault begins with. The name may hold colons.
std::optional<Place> PlaceOf(std::string_view fault) {
  const std::size_t end = fault.find(": ");
  if (end == std::string_view::npos) return std::nullopt;
  const std::string_view place = fault.substr(0, end);
  const std::size_t second = place.rfind(':');
  if (second == std::string_view::npos || second == 0) return std::nullopt;
  const std::size_t first = place.rfind(':', second - 1);
  if (first == std::string_view::npos || first == 0) return std::nullopt;
  const auto line = ParseCount(place.substr(first + 1, second - first - 1));
  const auto column = ParseCount(place.substr(second + 1));
  if (!line || !column) return std::nullopt;
  return Place{std::string(place.substr(0, first)), *line, *column};
}

// The line and its caret; columns count characters, and a tab stays one.
std::string Show(std::string_view line, std::size_t column) {
  std::string below;
  std::size_t at = 1;
  for (const char c : line) {
    if (at >= column) break;
    if ((static_cast<unsigned char>(c) & 0xc0) == 0x80) continue;
    below += c == '\t' ? '\t' : ' ';
    ++at;
  }
  return fmt::format("  {}\n  {}^\n", line, below);
}

}  // namespace

std::string WithSourceLines(std::string_view faults) {
  std::map<std::string, Result<std::string>> files;
  std::string shown;
  for (const std::string_view fault : SplitLines(faults)) {
    shown.append(fault) += '\n';
    const std::optional<Place> place = PlaceOf(fault);
    if (!place) continue;
    auto file = files.find(place->file);
    if (file == files.end()) file = files.emplace(place->file, ReadFile(place->file)).first;
    if (!file->second) continue;
    const std::vector<std::string_view> lines = SplitLines(*file->second);
    if (place->line > lines.size() || lines[place->line - 1].size() > kMaxShown) continue;
    shown += Show(lines[place->line - 1], place->column);
  }
  if (!shown.empty()) shown.pop_back();  // As they came: the last line without its end.
  return shown;
}

}  // namespace atalaya
