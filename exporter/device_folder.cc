#include "exporter/device_folder.h"

#include <dirent.h>

#include <algorithm>
#include <memory>

#include "exporter/kernel_file.h"

namespace atalaya::exporter {

std::optional<std::vector<std::string>> ListFolder(const std::filesystem::path& folder) {
  const std::unique_ptr<DIR, int (*)(DIR*)> entries(opendir(folder.c_str()), &closedir);
  if (entries == nullptr) return std::nullopt;
  std::vector<std::string> names;
  while (const dirent* entry = readdir(entries.get())) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::vector<NumberedName> ListNumbered(const std::filesystem::path& folder,
                                       std::string_view prefix) {
  std::vector<NumberedName> found;
  for (std::string& name : ListFolder(folder).value_or(std::vector<std::string>())) {
    if (!name.starts_with(prefix)) continue;
    const auto number = ParseNumber<unsigned>(std::string_view(name).substr(prefix.size()));
    if (number) found.push_back({std::move(name), *number});
  }
  std::sort(found.begin(), found.end(),
            [](const NumberedName& a, const NumberedName& b) { return a.number < b.number; });
  return found;
}

std::optional<double> ReadFigure(const std::filesystem::path& file) {
  const std::optional<std::string> text = ReadTrimmed(file);
  if (!text || text->starts_with("N/A")) return std::nullopt;
  if (!text->starts_with("0x")) return ParseValue<double>(*text);
  std::uint64_t value = 0;
  const char* end = text->data() + text->size();
  const auto parsed = std::from_chars(text->data() + 2, end, value, 16);
  if (parsed.ec != std::errc() || parsed.ptr != end) return std::nullopt;
  return static_cast<double>(value);
}

std::string CleanName(std::string_view name) {
  std::string clean;
  for (const char c : name) {
    const char lower = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    const bool fits = (lower >= 'a' && lower <= 'z') || (lower >= '0' && lower <= '9') ||
                      lower == ':' || lower == '_';
    clean += fits ? lower : '_';
  }
  const std::size_t begin = clean.find_first_not_of('_');
  if (begin == std::string::npos) return "";
  return clean.substr(begin, clean.find_last_not_of('_') - begin + 1);
}

}  // namespace atalaya::exporter
