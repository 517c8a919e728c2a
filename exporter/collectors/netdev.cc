#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netinet/in.h>

#include <array>
#include <bit>
#include <unordered_map>
#include <vector>

#include "exporter/collector_table.h"
#include "exporter/kernel_file.h"
#include "exporter/name_filter.h"
#include "telemetry/utf8.h"

namespace atalaya::exporter {
namespace {

using telemetry::LabelText;
using telemetry::MetricType;
using telemetry::TextWriter;

constexpr std::size_t kNetdevColumns = 16;

struct NetdevColumn {
  std::string_view metric;
  std::string_view help;
};

// In the order of /proc/net/dev.
constexpr std::array<NetdevColumn, kNetdevColumns> kNetdevColumnInfo = {{
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

struct KnownNetdev {
  bool excluded = false;
  std::string labels;
  // Packets that nobody took: the one figure that /proc/net/dev leaves out.
  KernelFile no_handler;
  bool listed = false;  // In this scrape. A broken file may say a device twice: the first counts.
};

struct NetdevRow {
  KnownNetdev* known;
  std::array<std::uint64_t, kNetdevColumns> values;
};

class Netdev final : public Collector {
 public:
  Netdev(const CollectorOptions& options, NameChoice choice)
      : dev_(options.procfs / "net/dev"),
        sysfs_net_(options.sysfs / "class/net"),
        choice_(std::move(choice)),
        address_info_(options.netdev_address_info) {}

  Status Collect(TextWriter& out) override {
    Result<std::string_view> content = dev_.Read();
    if (!content) return Forward(content.error());
    for (const NetdevRow& device : devices_) device.known->listed = false;
    devices_.clear();
    while (!content->empty()) ReadLine(TakeLine(*content));
    for (std::size_t column = 0; column < kNetdevColumns; ++column) {
      out.Family(kNetdevColumnInfo[column].metric, MetricType::kCounter,
                 kNetdevColumnInfo[column].help);
      for (const NetdevRow& device : devices_) {
        out.Sample(device.known->labels, device.values[column]);
      }
    }
    out.Family("node_network_receive_nohandler_total", MetricType::kCounter,
               "Packets received that nobody took.");
    for (const NetdevRow& device : devices_) {
      const Result<std::string_view> text = device.known->no_handler.Read();
      const auto value = text ? ParseValue<std::uint64_t>(TrimSpace(*text)) : std::nullopt;
      if (value) out.Sample(device.known->labels, *value);
    }
    if (address_info_) WriteAddresses(out);
    return {};
  }

 private:
  void ReadLine(std::string_view line) {
    const std::size_t colon = line.rfind(':');    // An alias has one in its name.
    if (colon == std::string_view::npos) return;  // The two heading lines.
    KnownNetdev& known = Lookup(TrimSpace(line.substr(0, colon)));
    if (known.excluded || known.listed) return;
    line.remove_prefix(colon + 1);
    NetdevRow device{&known, {}};
    for (std::uint64_t& value : device.values) {
      const std::optional<std::uint64_t> number = ParseValue<std::uint64_t>(TakeWord(line));
      if (!number) return;
      value = *number;
    }
    known.listed = true;
    devices_.push_back(device);
  }

  KnownNetdev& Lookup(std::string_view name) {
    scratch_ = name;
    const auto it = known_.find(scratch_);
    if (it != known_.end()) return it->second;
    KnownNetdev known{!telemetry::IsUtf8(name) || !choice_.Wants(name),
                      std::string(LabelText("device", name).text()),
                      KernelFile(sysfs_net_ / name / "statistics/rx_nohandler", FileShape::kWhole)};
    return known_.emplace(scratch_, std::move(known)).first->second;
  }

  // Addresses of this network namespace, those of devices left out, too, as node_exporter has it.
  static void WriteAddresses(TextWriter& out) {
    ifaddrs* found = nullptr;
    if (getifaddrs(&found) != 0) return;
    const std::unique_ptr<ifaddrs, void (*)(ifaddrs*)> owner(found, &freeifaddrs);
    out.Family("node_network_address_info", MetricType::kGauge, "Addresses of network devices.");
    for (const ifaddrs* entry = found; entry != nullptr; entry = entry->ifa_next) {
      if (entry->ifa_addr == nullptr || entry->ifa_netmask == nullptr) continue;
      if (const std::string labels = AddressLabels(*entry); !labels.empty()) out.Sample(labels, 1);
    }
  }

  static std::string AddressLabels(const ifaddrs& entry) {
    const int family = entry.ifa_addr->sa_family;
    const unsigned char* bytes = nullptr;
    const unsigned char* mask = nullptr;
    std::size_t size = 0;
    std::string_view scope = "global";
    if (family == AF_INET) {
      bytes = reinterpret_cast<const unsigned char*>(
          &reinterpret_cast<const sockaddr_in*>(entry.ifa_addr)->sin_addr);
      mask = reinterpret_cast<const unsigned char*>(
          &reinterpret_cast<const sockaddr_in*>(entry.ifa_netmask)->sin_addr);
      size = sizeof(in_addr);
      if (bytes[0] == 169 && bytes[1] == 254) scope = "link-local";
    } else if (family == AF_INET6) {
      bytes = reinterpret_cast<const sockaddr_in6*>(entry.ifa_addr)->sin6_addr.s6_addr;
      mask = reinterpret_cast<const sockaddr_in6*>(entry.ifa_netmask)->sin6_addr.s6_addr;
      size = sizeof(in6_addr);
      if (bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80) scope = "link-local";
    } else {
      return "";
    }
    int prefix = 0;
    for (std::size_t i = 0; i < size; ++i) prefix += std::popcount(mask[i]);
    char text[INET6_ADDRSTRLEN] = "";
    inet_ntop(family, bytes, text, sizeof text);
    LabelText labels("address", text);
    labels.Add("device", entry.ifa_name).Add("netmask", std::to_string(prefix));
    return std::string(labels.Add("scope", scope).text());
  }

  KernelFile dev_;
  std::filesystem::path sysfs_net_;
  NameChoice choice_;
  bool address_info_;
  std::string scratch_;
  std::unordered_map<std::string, KnownNetdev> known_;  // By device; grows by each new name only.
  std::vector<NetdevRow> devices_;
};

}  // namespace

CollectorResult CreateNetdev(const CollectorOptions& options) {
  Result<NameChoice> choice = NameChoice::Create(options.netdevs, "collector.netdev.device");
  if (!choice) return Forward(choice.error());
  return std::make_unique<Netdev>(options, std::move(*choice));
}

}  // namespace atalaya::exporter
