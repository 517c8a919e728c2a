#include <array>

#include "exporter/collector_table.h"
#include "exporter/device_folder.h"
#include "exporter/kernel_file.h"
#include "exporter/sample_sheet.h"
#include "exporter/scrape_context.h"

namespace atalaya::exporter {
namespace {

namespace fs = std::filesystem;
using telemetry::LabelText;
using telemetry::MetricType;
using telemetry::TextWriter;

constexpr double kBytesPerMegabit = 125'000;

struct NetclassFile {
  std::string_view file;
  FamilyInfo family;
  double scale = 1;
};

constexpr std::array<NetclassFile, 17> kNetclassFiles = {{
    {"addr_assign_type",
     {"node_network_address_assign_type", MetricType::kGauge,
      "How a network device got its address: 0 its own, 1 random, 2 stolen, 3 set."}},
    {"carrier",
     {"node_network_carrier", MetricType::kGauge, "Whether a network device has a link."}},
    {"carrier_changes",
     {"node_network_carrier_changes_total", MetricType::kCounter,
      "How often the link came or went."}},
    {"carrier_down_count",
     {"node_network_carrier_down_changes_total", MetricType::kCounter, "How often the link went."}},
    {"carrier_up_count",
     {"node_network_carrier_up_changes_total", MetricType::kCounter, "How often the link came."}},
    {"dev_id",
     {"node_network_device_id", MetricType::kGauge,
      "Tells network devices apart that share an address."}},
    {"dormant",
     {"node_network_dormant", MetricType::kGauge,
      "Whether a network device waits for something outside."}},
    {"flags", {"node_network_flags", MetricType::kGauge, "Flags of a network device."}},
    {"ifindex", {"node_network_iface_id", MetricType::kGauge, "Index of a network device."}},
    {"iflink",
     {"node_network_iface_link", MetricType::kGauge,
      "Index of the network device that this one is linked to."}},
    {"link_mode",
     {"node_network_iface_link_mode", MetricType::kGauge,
      "Whether a network device can be dormant."}},
    {"mtu",
     {"node_network_mtu_bytes", MetricType::kGauge, "The largest packet of a network device."}},
    {"name_assign_type",
     {"node_network_name_assign_type", MetricType::kGauge,
      "How a network device got its name: 1 by number, 2 predictably, 3 by a user, 4 renamed."}},
    {"netdev_group",
     {"node_network_net_dev_group", MetricType::kGauge, "Group of a network device."}},
    {"speed",
     {"node_network_speed_bytes", MetricType::kGauge, "Speed of a network device, per second."},
     kBytesPerMegabit},
    {"tx_queue_len",
     {"node_network_transmit_queue_length", MetricType::kGauge,
      "Packets that the send queue of a network device holds."}},
    {"type",
     {"node_network_protocol_type", MetricType::kGauge,
      "Kind of a network device: ARPHRD_ in if_arp.h."}},
}};
constexpr FamilyInfo kNetclassUp = {"node_network_up", MetricType::kGauge,
                                    "Whether a network device is up."};
constexpr FamilyInfo kNetclassInfo = {"node_network_info", MetricType::kGauge,
                                      "What a network device says of itself."};

// The page's lines are rendered anew only when something may have changed: 25 files a device are
// read for them.
class Netclass final : public Collector {
 public:
  Netclass(const CollectorOptions& options, NameFilter ignored)
      : folder_(options.sysfs / "class/net"),
        ignored_(std::move(ignored)),
        skip_invalid_speed_(options.netclass_ignore_invalid_speed),
        context_(options.context) {}

  Status Collect(TextWriter& out) override {
    const std::size_t format = out.format() == telemetry::TextFormat::kOpenMetrics ? 1 : 0;
    TextWriter& kept = kept_[format];
    std::uint64_t& kept_generation = kept_generation_[format];
    const std::uint64_t generation = context_ ? context_->facts_generation() : 0;
    if (generation == 0 || generation != kept_generation) {
      const std::optional<std::vector<std::string>> devices = ListFolder(folder_);
      if (!devices) return Fail(ErrorCode::kNotFound, "{}: no such folder", folder_.string());
      for (const std::string& device : *devices) {
        std::error_code error;
        if (!ignored_.Matches(device) && fs::is_directory(folder_ / device, error))
          ReadDevice(device);
      }
      kept.StartPage(out.format());
      sheet_.Write(kept);
      kept_generation = generation;
    }
    out.Append(kept.text());
    return {};
  }

 private:
  void ReadDevice(const std::string& device) {
    const fs::path folder = folder_ / device;
    const LabelText labels("device", device);
    for (const NetclassFile& file : kNetclassFiles) {
      const std::optional<double> value = ReadFigure(folder / file.file);
      if (!value) continue;
      if (file.file == "speed" && *value < 0 && skip_invalid_speed_) continue;
      sheet_.Add(file.family, labels.text(), *value * file.scale);
    }
    const std::string state = ReadTrimmed(folder / "operstate").value_or("");
    LabelText info("address", ReadTrimmed(folder / "address").value_or(""));
    info.Add("broadcast", ReadTrimmed(folder / "broadcast").value_or(""));
    info.Add("device", device).Add("duplex", ReadTrimmed(folder / "duplex").value_or(""));
    info.Add("ifalias", ReadTrimmed(folder / "ifalias").value_or("")).Add("operstate", state);
    sheet_.Add(kNetclassInfo, info.text(), 1);
    sheet_.Add(kNetclassUp, labels.text(), state == "up" ? 1 : 0);
  }

  fs::path folder_;
  NameFilter ignored_;
  bool skip_invalid_speed_;
  std::shared_ptr<ScrapeContext> context_;
  SampleSheet sheet_;
  std::array<TextWriter, 2> kept_{TextWriter(telemetry::TextFormat::kPrometheus),
                                  TextWriter(telemetry::TextFormat::kOpenMetrics)};
  std::array<std::uint64_t, 2> kept_generation_{};
};

}  // namespace

CollectorResult CreateNetclass(const CollectorOptions& options) {
  Result<NameFilter> ignored =
      NameFilter::Create(options.netclass_ignored, "collector.netclass.ignored-devices");
  if (!ignored) return Forward(ignored.error());
  return std::make_unique<Netclass>(options, std::move(*ignored));
}

}  // namespace atalaya::exporter
