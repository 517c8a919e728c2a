#include <array>

#include "exporter/collector_table.h"
#include "exporter/device_folder.h"
#include "exporter/kernel_file.h"
#include "exporter/sample_sheet.h"

namespace atalaya::exporter {
namespace {

using telemetry::LabelText;
using telemetry::MetricType;

struct PowerSupplyFile {
  std::string_view file;
  std::string_view figure;  // What the metric is called after "node_power_supply_".
  double divisor;
};

// Documentation/ABI/testing/sysfs-class-power: currents, voltages, energies and charges are in
// millionths, temperatures in tenths.
constexpr std::array<PowerSupplyFile, 49> kPowerSupplyFiles = {{
    {"authentic", "authentic", 1},
    {"calibrate", "calibrate", 1},
    {"capacity", "capacity", 1},
    {"capacity_alert_max", "capacity_alert_max", 1},
    {"capacity_alert_min", "capacity_alert_min", 1},
    {"cycle_count", "cyclecount", 1},
    {"online", "online", 1},
    {"present", "present", 1},
    {"time_to_empty_now", "time_to_empty_seconds", 1},
    {"time_to_full_now", "time_to_full_seconds", 1},
    {"charge_control_limit", "charge_control_limit", 1e6},
    {"charge_control_limit_max", "charge_control_limit_max", 1e6},
    {"charge_counter", "charge_counter", 1e6},
    {"charge_empty", "charge_empty", 1e6},
    {"charge_empty_design", "charge_empty_design", 1e6},
    {"charge_full", "charge_full", 1e6},
    {"charge_full_design", "charge_full_design", 1e6},
    {"charge_now", "charge_ampere", 1e6},
    {"charge_term_current", "charge_term_current", 1e6},
    {"constant_charge_current", "constant_charge_current", 1e6},
    {"constant_charge_current_max", "constant_charge_current_max", 1e6},
    {"constant_charge_voltage", "constant_charge_voltage", 1e6},
    {"constant_charge_voltage_max", "constant_charge_voltage_max", 1e6},
    {"current_boot", "current_boot", 1e6},
    {"current_max", "current_max", 1e6},
    {"current_now", "current_ampere", 1e6},
    {"energy_empty", "energy_empty", 1e6},
    {"energy_empty_design", "energy_empty_design", 1e6},
    {"energy_full", "energy_full", 1e6},
    {"energy_full_design", "energy_full_design", 1e6},
    {"energy_now", "energy_watthour", 1e6},
    {"input_current_limit", "input_current_limit", 1e6},
    {"power_now", "power_watt", 1e6},
    {"precharge_current", "precharge_current", 1e6},
    {"voltage_boot", "voltage_boot", 1e6},
    {"voltage_max", "voltage_max", 1e6},
    {"voltage_max_design", "voltage_max_design", 1e6},
    {"voltage_min", "voltage_min", 1e6},
    {"voltage_min_design", "voltage_min_design", 1e6},
    {"voltage_now", "voltage_volt", 1e6},
    {"voltage_ocv", "voltage_ocv", 1e6},
    {"temp", "temp_celsius", 10},
    {"temp_alert_max", "temp_alert_max_celsius", 10},
    {"temp_alert_min", "temp_alert_min_celsius", 10},
    {"temp_ambient", "temp_ambient_celsius", 10},
    {"temp_ambient_alert_max", "temp_ambient_max_celsius", 10},
    {"temp_ambient_alert_min", "temp_ambient_min_celsius", 10},
    {"temp_max", "temp_max_celsius", 10},
    {"temp_min", "temp_min_celsius", 10},
}};

// Labels of node_power_supply_info, with "power_supply" in their order.
constexpr std::array<std::string_view, 12> kPowerSupplyFacts = {
    "capacity_level", "charge_type",   "health", "manufacturer", "model_name", "power_supply",
    "scope",          "serial_number", "status", "technology",   "type",       "usb_type"};

constexpr FamilyInfo kPowerSupplyInfo = {"node_power_supply_info", MetricType::kGauge,
                                         "What a power supply says of itself."};

class PowerSupplyClass final : public Collector {
 public:
  PowerSupplyClass(const CollectorOptions& options, NameFilter ignored)
      : folder_(options.sysfs / "class/power_supply"), ignored_(std::move(ignored)) {}

  Status Collect(telemetry::TextWriter& out) override {
    const std::optional<std::vector<std::string>> supplies = ListFolder(folder_);
    if (!supplies) return Fail(ErrorCode::kNotFound, "{}: no such folder", folder_.string());
    for (const std::string& supply : *supplies) {
      if (!ignored_.Matches(supply)) ReadSupply(supply);
    }
    sheet_.Write(out);
    return {};
  }

 private:
  void ReadSupply(const std::string& supply) {
    const std::filesystem::path folder = folder_ / supply;
    const LabelText labels("power_supply", supply);
    for (const PowerSupplyFile& file : kPowerSupplyFiles) {
      const std::optional<double> value = ReadFigure(folder / file.file);
      if (!value) continue;
      metric_.assign("node_power_supply_").append(file.figure);
      help_.assign("The ").append(file.file).append(" that a power supply reports.");
      sheet_.Add({metric_, MetricType::kGauge, help_}, labels.text(), *value / file.divisor);
    }
    LabelText info;
    for (const std::string_view fact : kPowerSupplyFacts) {
      const std::string text =
          fact == "power_supply" ? supply : ReadTrimmed(folder / fact).value_or("");
      if (!text.empty()) info.Add(fact, text);
    }
    sheet_.Add(kPowerSupplyInfo, info.text(), 1);
  }

  std::filesystem::path folder_;
  NameFilter ignored_;
  SampleSheet sheet_;
  std::string metric_;
  std::string help_;
};

}  // namespace

CollectorResult CreatePowerSupplyClass(const CollectorOptions& options) {
  Result<NameFilter> ignored =
      NameFilter::Create(options.power_supply_ignored, "collector.powersupply.ignored-supplies");
  if (!ignored) return Forward(ignored.error());
  return std::make_unique<PowerSupplyClass>(options, std::move(*ignored));
}

}  // namespace atalaya::exporter
