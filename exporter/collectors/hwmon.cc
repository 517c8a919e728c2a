#include <algorithm>
#include <array>
#include <map>
#include <vector>

#include "exporter/collector_table.h"
#include "exporter/device_folder.h"
#include "exporter/kernel_file.h"

namespace atalaya::exporter {
namespace {

namespace fs = std::filesystem;
using telemetry::LabelText;
using telemetry::MetricType;
using telemetry::TextWriter;

constexpr std::array<std::string_view, 15> kSensorTypes = {
    "vrm",  "beep_enable", "update_interval", "in",       "cpu",       "fan",  "pwm",  "temp",
    "curr", "power",       "energy",          "humidity", "intrusion", "freq", "label"};

// "temp1_crit_alarm" is type "temp", number "1", property "crit_alarm".
struct SensorFile {
  std::string_view type;
  std::string_view number;
  std::string_view property;
};

std::optional<SensorFile> ParseSensorFile(std::string_view file) {
  if (file == "beep_enable" || file == "update_interval") return SensorFile{file, "0", ""};
  const std::size_t digits = std::min(file.find_first_of("0123456789_"), file.size());
  SensorFile parsed;
  parsed.type = file.substr(0, digits);
  const std::size_t end = std::min(file.find_first_not_of("0123456789", digits), file.size());
  parsed.number = end > digits ? file.substr(digits, end - digits) : "0";
  if (end < file.size()) {
    if (file[end] != '_') return std::nullopt;
    parsed.property = file.substr(end + 1);
  }
  const bool known =
      std::find(kSensorTypes.begin(), kSensorTypes.end(), parsed.type) != kSensorTypes.end();
  return known ? std::optional(parsed) : std::nullopt;
}

struct Unit {
  std::string_view suffix;
  double scale;
  MetricType type = MetricType::kGauge;
};

// What a property of a sensor is measured in: the kernel's Documentation/hwmon/sysfs-interface.
Unit UnitOf(std::string_view type, std::string_view property) {
  if (property == "fault" || property == "alarm") return {"", 1};
  if (property == "beep") return {"_enabled", 1};
  if (type == "in" || type == "cpu") return {"_volts", 0.001};
  if (type == "temp" && property != "type") return {"_celsius", 0.001};
  if (type == "curr") return {"_amps", 0.001};
  if (type == "energy") return {"_joule_total", 1e-6, MetricType::kCounter};
  if (type == "power" && property == "accuracy") return {"", 1e-6};
  if (type == "power" && property.starts_with("average_interval")) return {"_seconds", 0.001};
  if (type == "power") return {"_watt", 1e-6};
  if (type == "humidity") return {"", 1e-6};
  if (type == "fan" && (property == "" || property == "input" || property == "min" ||
                        property == "max" || property == "target")) {
    return {"_rpm", 1};
  }
  if (type == "freq" && (property == "" || property == "input")) return {"_freq_mhz", 1e-6};
  if (type == "update_interval") return {"_seconds", 0.001};
  return {"", 1};
}

struct Reading {
  std::string labels;
  double value;
};
struct ReadingFamily {
  MetricType type = MetricType::kGauge;
  std::vector<Reading> readings;
};
using Families = std::map<std::string, ReadingFamily>;  // By metric name.

class Hwmon final : public Collector {
 public:
  explicit Hwmon(const CollectorOptions& options) : folder_(options.sysfs / "class/hwmon") {}

  Status Collect(TextWriter& out) override {
    std::vector<fs::path> chips;
    std::error_code error;
    for (fs::directory_iterator it(folder_, error), end; !error && it != end; it.increment(error))
      chips.push_back(it->path());
    if (chips.empty()) return Fail(ErrorCode::kNotFound, "{}: no sensors", folder_.string());
    std::sort(chips.begin(), chips.end());
    Families families;
    for (const fs::path& chip : chips) ReadChip(chip, families);
    for (const auto& [metric, family] : families) {
      out.Family(metric, family.type, "A figure of the kernel's hardware monitors.");
      for (const Reading& reading : family.readings) out.Sample(reading.labels, reading.value);
    }
    return {};
  }

 private:
  using Properties = std::map<std::string, fs::path>;  // By property.

  static void ReadChip(const fs::path& chip, Families& families) {
    const std::string label = ChipLabel(chip);
    const std::optional<std::string> name = ReadTrimmed(chip / "name");
    if (name) {
      families["node_hwmon_chip_names"].readings.push_back(
          {std::string(LabelText("chip", label).Add("chip_name", CleanName(*name)).text()), 1});
    }
    std::map<std::string, Properties> sensors;
    ListSensors(chip, sensors);
    ListSensors(chip / "device", sensors);
    for (const auto& [sensor, properties] : sensors)
      ReadSensor(label, sensor, properties, families);
  }

  static void ListSensors(const fs::path& folder, std::map<std::string, Properties>& sensors) {
    std::error_code error;
    for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
      const std::string file = it->path().filename().string();
      const std::optional<SensorFile> parsed = ParseSensorFile(file);
      std::error_code unreadable;
      if (!parsed || !fs::is_regular_file(it->path(), unreadable)) continue;
      const std::string sensor = std::string(parsed->type).append(parsed->number);
      sensors[sensor].emplace(parsed->property, it->path());
    }
  }

  static void ReadSensor(const std::string& chip, const std::string& sensor,
                         const Properties& properties, Families& families) {
    LabelText labels("chip", chip);
    labels.Add("sensor", sensor);
    const std::string_view type =
        std::string_view(sensor).substr(0, sensor.find_first_of("0123456789"));
    for (const auto& [property, path] : properties) {
      const std::optional<std::string> text = ReadTrimmed(path);
      if (!text) continue;
      if (property == "label") {
        LabelText named("chip", chip);
        named.Add("label", *text).Add("sensor", sensor);
        families["node_hwmon_sensor_label"].readings.push_back({std::string(named.text()), 1});
        continue;
      }
      std::optional<double> value = ParseValue<double>(*text);
      if (!value) continue;
      const bool beep = type == "beep_enable" || property == "beep";
      if (beep) *value = *value == 1;
      const Unit unit = UnitOf(type, property);
      std::string metric = "node_hwmon_";
      metric += type == "beep_enable" ? "beep_enabled" : type;
      if (property == "input") {
        if (properties.contains("")) metric += "_input";
      } else if (!property.empty() && property != "beep") {
        metric.append("_").append(CleanName(property));
      }
      metric += property == "beep" ? "_beep_enabled" : std::string(unit.suffix);
      ReadingFamily& family = families[metric];
      family.type = unit.type;
      family.readings.push_back({std::string(labels.text()), *value * unit.scale});
    }
  }

  // "platform_coretemp_0" from where the device hangs, else the chip's own name, else its folder's.
  static std::string ChipLabel(const fs::path& chip) {
    std::error_code error;
    const fs::path device = fs::canonical(chip / "device", error);
    if (!error) {
      const std::string name = CleanName(device.filename().string());
      const std::string type = CleanName(device.parent_path().filename().string());
      if (!name.empty() && !type.empty()) return type + "_" + name;
      if (!name.empty()) return name;
    }
    if (const std::optional<std::string> name = ReadTrimmed(chip / "name")) {
      const std::string clean = CleanName(*name);
      if (!clean.empty()) return clean;
    }
    return CleanName(chip.filename().string());
  }

  fs::path folder_;
};

}  // namespace

CollectorResult CreateHwmon(const CollectorOptions& options) {
  return std::make_unique<Hwmon>(options);
}

}  // namespace atalaya::exporter
