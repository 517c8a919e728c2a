#include <map>

#include "exporter/collector_table.h"
#include "exporter/kernel_file.h"

namespace atalaya::exporter {
namespace {

class Arp final : public Collector {
 public:
  Arp(const CollectorOptions& options, NameChoice devices)
      : arp_(options.procfs / "net/arp"), devices_(std::move(devices)) {}

  Status Collect(telemetry::TextWriter& out) override {
    Result<std::string_view> content = arp_.Read();
    if (!content) return Forward(content.error());
    std::map<std::string_view, std::uint64_t> entries;  // By device.
    TakeLine(*content);                                 // Headings.
    while (!content->empty()) {
      std::string_view line = TakeLine(*content);
      std::string_view device;
      for (int i = 0; i < kDeviceColumn; ++i) device = TakeWord(line);
      if (!device.empty() && devices_.Wants(device)) ++entries[device];
    }
    out.Family("node_arp_entries", telemetry::MetricType::kGauge,
               "Entries of the ARP table, by network device.");
    for (const auto& [device, count] : entries)
      out.Sample(telemetry::LabelText("device", device).text(), count);
    return {};
  }

 private:
  static constexpr int kDeviceColumn = 6;
  KernelFile arp_;
  NameChoice devices_;
};

}  // namespace

CollectorResult CreateArp(const CollectorOptions& options) {
  Result<NameChoice> devices = NameChoice::Create(options.arp_devices, "collector.arp.device");
  if (!devices) return Forward(devices.error());
  return std::make_unique<Arp>(options, std::move(*devices));
}

}  // namespace atalaya::exporter
