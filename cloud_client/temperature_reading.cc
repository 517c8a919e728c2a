#include "cloud_client/temperature_reading.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <string>
#include <system_error>

#include "base/file.h"

namespace atalaya::cloud_client {
namespace {

using std::filesystem::path;

// A sensor that is not wired says -273 or thousands; such a value is none.
constexpr double kColdestCelsius = -100;
constexpr double kHottestCelsius = 250;

using Sensors = std::map<std::string, double>;  // Celsius by name.

std::string FirstLine(const path& file) {
  const Result<std::string> text = ReadFile(file);
  return text ? text->substr(0, text->find('\n')) : "";
}

std::optional<double> Celsius(const path& file) {
  const std::string text = FirstLine(file);
  int millis = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), millis);
  if (text.empty() || parsed.ec != std::errc() || parsed.ptr != text.data() + text.size()) {
    return std::nullopt;
  }
  const double celsius = millis / 1000.0;
  if (celsius < kColdestCelsius || celsius > kHottestCelsius) return std::nullopt;
  return celsius;
}

// Entries of a folder, sorted, so that names are given out in the same order each time.
std::vector<path> Entries(const path& folder) {
  std::vector<path> entries;
  std::error_code error;
  for (std::filesystem::directory_iterator it(folder, error), end; !error && it != end;
       it.increment(error)) {
    entries.push_back(it->path());
  }
  std::sort(entries.begin(), entries.end());
  return entries;
}

void AddSensor(const std::string& raw_name, const path& file, Sensors* sensors) {
  const std::optional<double> celsius = Celsius(file);
  if (!celsius) return;
  std::string name;
  for (const char c : raw_name) {
    if (c >= 'A' && c <= 'Z') {
      name += static_cast<char>(c - 'A' + 'a');
    } else {
      name += (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ? c : '_';
    }
  }
  if (name.empty() || name == "celsius" || name == "time" || name == "value") name += "_sensor";
  std::string unique = name;
  for (int n = 2; sensors->contains(unique); ++n) unique = fmt::format("{}_{}", name, n);
  (*sensors)[unique] = *celsius;
}

}  // namespace

Result<std::vector<Reading>> ReadTemperatures(const path& sysfs) {
  Sensors sensors;
  for (const path& chip : Entries(sysfs / "class" / "hwmon")) {
    const std::string chip_name = FirstLine(chip / "name");
    for (const path& file : Entries(chip)) {
      const std::string name = file.filename().string();
      if (!name.starts_with("temp") || !name.ends_with("_input")) continue;
      const std::string sensor = name.substr(0, name.size() - std::string("_input").size());
      const std::string label = FirstLine(chip / (sensor + "_label"));
      AddSensor(chip_name + "_" + (label.empty() ? sensor : label), file, &sensors);
    }
  }
  for (const path& zone : Entries(sysfs / "class" / "thermal")) {
    if (!zone.filename().string().starts_with("thermal_zone")) continue;
    AddSensor(FirstLine(zone / "type"), zone / "temp", &sensors);
  }
  if (sensors.empty()) {
    return Fail(ErrorCode::kNotFound, "no temperature sensor under {} or {}",
                (sysfs / "class/hwmon").string(), (sysfs / "class/thermal").string());
  }
  JsonObject fields;
  const auto hottest =
      std::max_element(sensors.begin(), sensors.end(),
                       [](const auto& a, const auto& b) { return a.second < b.second; });
  fields.Add("celsius", hottest->second);
  for (const auto& [name, celsius] : sensors) fields.Add(name, celsius);
  return std::vector<Reading>{{"temperature", std::move(fields)}};
}

}  // namespace atalaya::cloud_client
