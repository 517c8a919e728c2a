#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace atalaya::exporter {

// The names in `folder`, sorted, without "." and ".."; nothing where it cannot be read.
std::optional<std::vector<std::string>> ListFolder(const std::filesystem::path& folder);

// The names of `folder` that are `prefix` and a number, by that number: {"cpu0", 0} ...
struct NumberedName {
  std::string name;
  unsigned number = 0;
};
std::vector<NumberedName> ListNumbered(const std::filesystem::path& folder,
                                       std::string_view prefix);

// The number that a file of sysfs or procfs holds, decimal or 0x...; nothing where it is none.
std::optional<double> ReadFigure(const std::filesystem::path& file);

// As node_exporter makes a metric or label name of a device's: lower case, '_' for what does not
// fit, and none at the ends.
std::string CleanName(std::string_view name);

}  // namespace atalaya::exporter
