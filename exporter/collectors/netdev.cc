#include <array>
#include <unordered_map>
#include <vector>

#include "exporter/collector_table.h"
#include "exporter/kernel_file.h"
#include "exporter/name_filter.h"

namespace atalaya::exporter {
namespace {

using telemetry::LabelText;
using telemetry::MetricType;
using telemetry::TextWriter;

constexpr std::size_t kColumns = 16;

struct Column {
  std::string_view metric;
  std::string_view help;
};

// In the order of /proc/net/dev.
constexpr std::array<Column, kColumns> kColumnInfo = {{
    {"node_network_receive_bytes_total", "Bytes a network device received."},
    {"node_network_receive_packets_total", "Packets a network device received."},
    {"node_network_receive_errs_total", "Packets received with an error."},
    {"node_network_receive_drop_total", "Packets received and dropped."},
    {"node_network_receive_fifo_total", "Overruns of the receive queue."},
    {"node_network_receive_frame_total", "Packets received with a framing error."},
    {"node_network_receive_compressed_total", "Compressed packets received."},
    {"node_network_receive_multicast_total", "Multicast packets received."},
    {"node_network_transmit_bytes_total", "Bytes a network device sent."},
    {"node_network_transmit_packets_total", "Packets a network device sent."},
    {"node_network_transmit_errs_total", "Packets that could not be sent."},
    {"node_network_transmit_drop_total", "Packets to be sent that were dropped."},
    {"node_network_transmit_fifo_total", "Overruns of the send queue."},
    {"node_network_transmit_colls_total", "Collisions seen when sending."},
    {"node_network_transmit_carrier_total", "Losses of the carrier when sending."},
    {"node_network_transmit_compressed_total", "Compressed packets sent."},
}};

struct Known {
  bool excluded = false;
  std::string labels;
};

struct Device {
  const Known* known;
  std::array<std::uint64_t, kColumns> values;
};

class Netdev final : public Collector {
 public:
  Netdev(const CollectorOptions& options, NameFilter exclude)
      : dev_(options.procfs / "net/dev"), exclude_(std::move(exclude)) {}

  Status Collect(TextWriter& out) override {
    Result<std::string_view> content = dev_.Read();
    if (!content) return Forward(content.error());
    devices_.clear();
    while (!content->empty()) ReadLine(TakeLine(*content));
    for (std::size_t column = 0; column < kColumns; ++column) {
      out.Family(kColumnInfo[column].metric, MetricType::kCounter, kColumnInfo[column].help);
      for (const Device& device : devices_) {
        out.Sample(device.known->labels, device.values[column]);
      }
    }
    return {};
  }

 private:
  void ReadLine(std::string_view line) {
    const std::size_t colon = line.rfind(':');    // An alias has one in its name.
    if (colon == std::string_view::npos) return;  // The two heading lines.
    const Known& known = Lookup(TrimSpace(line.substr(0, colon)));
    if (known.excluded) return;
    line.remove_prefix(colon + 1);
    Device device{&known, {}};
    for (std::uint64_t& value : device.values) {
      const std::optional<std::uint64_t> number = ParseNumber<std::uint64_t>(TakeWord(line));
      if (!number) return;
      value = *number;
    }
    devices_.push_back(device);
  }

  const Known& Lookup(std::string_view name) {
    scratch_ = name;
    const auto it = known_.find(scratch_);
    if (it != known_.end()) return it->second;
    Known known{exclude_.Matches(name), std::string(LabelText("device", name).text())};
    return known_.emplace(scratch_, std::move(known)).first->second;
  }

  KernelFile dev_;
  NameFilter exclude_;
  std::string scratch_;
  std::unordered_map<std::string, Known> known_;  // By device; grows by each new name only.
  std::vector<Device> devices_;
};

}  // namespace

CollectorResult CreateNetdev(const CollectorOptions& options) {
  Result<NameFilter> exclude =
      NameFilter::Create(options.netdev_exclude, "collector.netdev.device-exclude");
  if (!exclude) return Forward(exclude.error());
  return std::make_unique<Netdev>(options, std::move(*exclude));
}

}  // namespace atalaya::exporter
