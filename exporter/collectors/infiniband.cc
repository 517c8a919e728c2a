#include <array>

#include "exporter/collector_table.h"
#include "exporter/device_folder.h"
#include "exporter/kernel_file.h"
#include "exporter/sample_sheet.h"

namespace atalaya::exporter {
namespace {

namespace fs = std::filesystem;
using telemetry::LabelText;
using telemetry::MetricType;

constexpr double kInfinibandLanes = 4;  // Data counters are kept per lane, and a port has four.
constexpr double kBytesPerGigabit = 125'000'000;

struct InfinibandCounter {
  std::string_view file;  // Of counters/ or counters_ext/.
  FamilyInfo family;
  double scale = 1;
};

constexpr std::array<InfinibandCounter, 30> kInfinibandCounters = {{
    {"excessive_buffer_overrun_errors",
     {"node_infiniband_excessive_buffer_overrun_errors_total", MetricType::kCounter,
      "Buffer overruns that went on too long."}},
    {"link_downed",
     {"node_infiniband_link_downed_total", MetricType::kCounter,
      "How often the link failed to recover and went down."}},
    {"link_error_recovery",
     {"node_infiniband_link_error_recovery_total", MetricType::kCounter,
      "How often the link recovered from an error."}},
    {"local_link_integrity_errors",
     {"node_infiniband_local_link_integrity_errors_total", MetricType::kCounter,
      "How often local errors passed the threshold."}},
    {"multicast_rcv_packets",
     {"node_infiniband_multicast_packets_received_total", MetricType::kCounter,
      "Multicast packets received, those with errors included."}},
    {"multicast_xmit_packets",
     {"node_infiniband_multicast_packets_transmitted_total", MetricType::kCounter,
      "Multicast packets sent, those with errors included."}},
    {"port_rcv_constraint_errors",
     {"node_infiniband_port_constraint_errors_received_total", MetricType::kCounter,
      "Packets received on the switch's port and thrown away."}},
    {"port_rcv_data",
     {"node_infiniband_port_data_received_bytes_total", MetricType::kCounter, "Bytes received."},
     kInfinibandLanes},
    {"port_rcv_discards",
     {"node_infiniband_port_discards_received_total", MetricType::kCounter,
      "Packets received and thrown away because the port was down or full."}},
    {"port_rcv_errors",
     {"node_infiniband_port_errors_received_total", MetricType::kCounter,
      "Packets received with an error."}},
    {"port_rcv_packets",
     {"node_infiniband_port_packets_received_total", MetricType::kCounter,
      "Packets received, those with errors included."}},
    {"port_rcv_remote_physical_errors",
     {"node_infiniband_port_receive_remote_physical_errors_total", MetricType::kCounter,
      "Packets received that were marked bad on their way."}},
    {"port_rcv_switch_relay_errors",
     {"node_infiniband_port_receive_switch_relay_errors_total", MetricType::kCounter,
      "Packets that the switch could not pass on."}},
    {"port_xmit_constraint_errors",
     {"node_infiniband_port_constraint_errors_transmitted_total", MetricType::kCounter,
      "Packets not sent from the switch's port."}},
    {"port_xmit_data",
     {"node_infiniband_port_data_transmitted_bytes_total", MetricType::kCounter, "Bytes sent."},
     kInfinibandLanes},
    {"port_xmit_discards",
     {"node_infiniband_port_discards_transmitted_total", MetricType::kCounter,
      "Packets to be sent, thrown away because the port was down or full."}},
    {"port_xmit_packets",
     {"node_infiniband_port_packets_transmitted_total", MetricType::kCounter,
      "Packets sent, those with errors included."}},
    {"port_xmit_wait",
     {"node_infiniband_port_transmit_wait_total", MetricType::kCounter,
      "Ticks in which there was something to send and nothing was sent."}},
    {"symbol_error",
     {"node_infiniband_symbol_error_total", MetricType::kCounter, "Small errors of the link."}},
    {"unicast_rcv_packets",
     {"node_infiniband_unicast_packets_received_total", MetricType::kCounter,
      "Unicast packets received, those with errors included."}},
    {"unicast_xmit_packets",
     {"node_infiniband_unicast_packets_transmitted_total", MetricType::kCounter,
      "Unicast packets sent, those with errors included."}},
    {"VL15_dropped",
     {"node_infiniband_vl15_dropped_total", MetricType::kCounter,
      "Management packets dropped for want of room."}},
    {"port_multicast_rcv_packets",
     {"node_infiniband_legacy_multicast_packets_received_total", MetricType::kCounter,
      "Multicast packets received (old counter)."}},
    {"port_multicast_xmit_packets",
     {"node_infiniband_legacy_multicast_packets_transmitted_total", MetricType::kCounter,
      "Multicast packets sent (old counter)."}},
    {"port_rcv_data_64",
     {"node_infiniband_legacy_data_received_bytes_total", MetricType::kCounter,
      "Bytes received (old counter)."},
     kInfinibandLanes},
    {"port_rcv_packets_64",
     {"node_infiniband_legacy_packets_received_total", MetricType::kCounter,
      "Packets received (old counter)."}},
    {"port_unicast_rcv_packets",
     {"node_infiniband_legacy_unicast_packets_received_total", MetricType::kCounter,
      "Unicast packets received (old counter)."}},
    {"port_unicast_xmit_packets",
     {"node_infiniband_legacy_unicast_packets_transmitted_total", MetricType::kCounter,
      "Unicast packets sent (old counter)."}},
    {"port_xmit_data_64",
     {"node_infiniband_legacy_data_transmitted_bytes_total", MetricType::kCounter,
      "Bytes sent (old counter)."},
     kInfinibandLanes},
    {"port_xmit_packets_64",
     {"node_infiniband_legacy_packets_transmitted_total", MetricType::kCounter,
      "Packets sent (old counter)."}},
}};

constexpr FamilyInfo kInfinibandInfo = {"node_infiniband_info", MetricType::kGauge,
                                        "What an InfiniBand device says of itself."};
constexpr FamilyInfo kInfinibandState = {
    "node_infiniband_state_id", MetricType::kGauge,
    "State of a port: 1 down, 2 initializing, 3 armed, 4 active, 5 active and deferred."};
constexpr FamilyInfo kInfinibandPhysical = {
    "node_infiniband_physical_state_id", MetricType::kGauge,
    "Physical state of a port: 1 asleep, 2 polling, 3 disabled, 4 shifting, 5 up, 6 recovering, 7 "
    "testing."};
constexpr FamilyInfo kInfinibandRate = {"node_infiniband_rate_bytes_per_second", MetricType::kGauge,
                                        "The most that a port can transfer."};

class Infiniband final : public Collector {
 public:
  explicit Infiniband(const CollectorOptions& options)
      : folder_(options.sysfs / "class/infiniband") {}

  Status Collect(telemetry::TextWriter& out) override {
    const std::optional<std::vector<std::string>> devices = ListFolder(folder_);
    if (!devices) return Fail(ErrorCode::kNotFound, "{}: no such folder", folder_.string());
    for (const std::string& device : *devices) ReadDevice(device);
    sheet_.Write(out);
    return {};
  }

 private:
  void ReadDevice(const std::string& device) {
    const fs::path folder = folder_ / device;
    LabelText info("board_id", ReadTrimmed(folder / "board_id").value_or(""));
    info.Add("device", device);
    info.Add("firmware_version", ReadTrimmed(folder / "fw_ver").value_or(""));
    info.Add("hca_type", ReadTrimmed(folder / "hca_type").value_or(""));
    sheet_.Add(kInfinibandInfo, info.text(), 1);
    for (const NumberedName& port : ListNumbered(folder / "ports", "")) {
      const LabelText labels = LabelText("device", device).Add("port", port.name);
      ReadPort(folder / "ports" / port.name, labels.text());
    }
  }

  void ReadPort(const fs::path& port, std::string_view labels) {
    // "4: ACTIVE" and "40 Gb/sec (4X QDR)".
    AddFirstNumber(kInfinibandState, port / "state", 1, labels);
    AddFirstNumber(kInfinibandPhysical, port / "phys_state", 1, labels);
    AddFirstNumber(kInfinibandRate, port / "rate", kBytesPerGigabit, labels);
    for (const InfinibandCounter& counter : kInfinibandCounters) {
      const char* folder = counter.family.name.find("_legacy_") == std::string_view::npos
                               ? "counters"
                               : "counters_ext";
      // "N/A (no PMA)" where the device does not keep it.
      const std::optional<double> value = ReadFigure(port / folder / counter.file);
      if (value) sheet_.Add(counter.family, labels, *value * counter.scale);
    }
  }

  void AddFirstNumber(const FamilyInfo& family, const fs::path& file, double scale,
                      std::string_view labels) {
    const std::string text = ReadTrimmed(file).value_or("");
    const std::size_t end = text.find_first_of(": ");
    const std::optional<double> value = ParseValue<double>(text.substr(0, end));
    if (value) sheet_.Add(family, labels, *value * scale);
  }

  fs::path folder_;
  SampleSheet sheet_;
};

}  // namespace

CollectorResult CreateInfiniband(const CollectorOptions& options) {
  return std::make_unique<Infiniband>(options);
}

}  // namespace atalaya::exporter
