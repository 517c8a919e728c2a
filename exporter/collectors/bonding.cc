#include "exporter/collector_table.h"
#include "exporter/device_folder.h"
#include "exporter/kernel_file.h"
#include "exporter/sample_sheet.h"

namespace atalaya::exporter {
namespace {

constexpr FamilyInfo kBondingActive = {"node_bonding_active", telemetry::MetricType::kGauge,
                                       "Devices of a bond whose link is up."};
constexpr FamilyInfo kBondingSlaves = {"node_bonding_slaves", telemetry::MetricType::kGauge,
                                       "Devices that belong to a bond."};

class Bonding final : public Collector {
 public:
  explicit Bonding(const CollectorOptions& options)
      : folder_(options.sysfs / "class/net"), masters_(folder_ / "bonding_masters") {}

  Status Collect(telemetry::TextWriter& out) override {
    const Result<std::string_view> masters = masters_.Read();
    if (!masters) return Forward(masters.error());
    std::string_view rest = TrimSpace(*masters);
    while (!rest.empty()) {
      const std::string master(TakeWord(rest));
      const std::string labels(telemetry::LabelText("master", master).text());
      const std::string slaves = ReadTrimmed(folder_ / master / "bonding/slaves").value_or("");
      std::string_view names = slaves;
      double count = 0;
      double active = 0;
      for (std::string_view slave = TakeWord(names); !slave.empty(); slave = TakeWord(names)) {
        ++count;
        if (IsUp(folder_ / master, std::string(slave))) ++active;
      }
      sheet_.Add(kBondingActive, labels, active);
      sheet_.Add(kBondingSlaves, labels, count);
    }
    sheet_.Write(out);
    return {};
  }

 private:
  // Kernels before 3.14 name the link "slave_NAME".
  static bool IsUp(const std::filesystem::path& master, const std::string& slave) {
    std::optional<std::string> state =
        ReadTrimmed(master / ("lower_" + slave) / "bonding_slave/mii_status");
    if (!state) state = ReadTrimmed(master / ("slave_" + slave) / "bonding_slave/mii_status");
    return state == "up";
  }

  std::filesystem::path folder_;
  KernelFile masters_;
  SampleSheet sheet_;
};

}  // namespace

CollectorResult CreateBonding(const CollectorOptions& options) {
  return std::make_unique<Bonding>(options);
}

}  // namespace atalaya::exporter
