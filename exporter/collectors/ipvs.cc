#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <map>

#include "base/suggest.h"
#include "exporter/collector_table.h"
#include "exporter/kernel_file.h"
#include "exporter/sample_sheet.h"

namespace atalaya::exporter {
namespace {

using telemetry::LabelText;
using telemetry::MetricType;

constexpr std::array<FamilyInfo, 5> kIpvsTotals = {{
    {"node_ipvs_connections_total", MetricType::kCounter, "Connections made."},
    {"node_ipvs_incoming_packets_total", MetricType::kCounter, "Packets that came in."},
    {"node_ipvs_outgoing_packets_total", MetricType::kCounter, "Packets that went out."},
    {"node_ipvs_incoming_bytes_total", MetricType::kCounter, "Bytes that came in."},
    {"node_ipvs_outgoing_bytes_total", MetricType::kCounter, "Bytes that went out."},
}};
constexpr std::array<FamilyInfo, 3> kIpvsBackends = {{
    {"node_ipvs_backend_connections_active", MetricType::kGauge, "Active connections."},
    {"node_ipvs_backend_connections_inactive", MetricType::kGauge, "Inactive connections."},
    {"node_ipvs_backend_weight", MetricType::kGauge, "Weight of a real server."},
}};
const std::vector<std::string> kIpvsLabels = {"local_address", "local_mark",     "local_port",
                                              "proto",         "remote_address", "remote_port"};

std::optional<std::uint64_t> ParseIpvsHex(std::string_view word) {
  std::uint64_t value = 0;
  const auto parsed = std::from_chars(word.data(), word.data() + word.size(), value, 16);
  if (word.empty() || parsed.ec != std::errc() || parsed.ptr != word.data() + word.size())
    return std::nullopt;
  return value;
}

struct IpvsAddress {
  std::string address;
  std::string port;
};

// "C0A80016:0CEA", or "[2620:0000:...:0001]:0CEA".
std::optional<IpvsAddress> ParseIpvsAddress(std::string_view word) {
  const std::size_t colon = word.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const std::optional<std::uint64_t> port = ParseIpvsHex(word.substr(colon + 1));
  const std::string_view host = word.substr(0, colon);
  char text[INET6_ADDRSTRLEN] = "";
  if (host.starts_with('[') && host.ends_with(']')) {
    in6_addr address{};
    if (inet_pton(AF_INET6, std::string(host.substr(1, host.size() - 2)).c_str(), &address) != 1)
      return std::nullopt;
    inet_ntop(AF_INET6, &address, text, sizeof text);
  } else {
    const std::optional<std::uint64_t> number = ParseIpvsHex(host);
    if (!number || host.size() != 8) return std::nullopt;
    const in_addr address{htonl(static_cast<std::uint32_t>(*number))};
    inet_ntop(AF_INET, &address, text, sizeof text);
  }
  if (!port) return std::nullopt;
  return IpvsAddress{text, std::to_string(*port)};
}

class Ipvs final : public Collector {
 public:
  Ipvs(const CollectorOptions& options, std::vector<std::string> labels)
      : stats_(options.procfs / "net/ip_vs_stats"),
        backends_(options.procfs / "net/ip_vs"),
        labels_(std::move(labels)) {}

  Status Collect(telemetry::TextWriter& out) override {
    Result<std::string_view> stats = stats_.Read();
    if (!stats) return Forward(stats.error());
    TakeLine(*stats);  // Two lines of headings.
    TakeLine(*stats);
    std::string_view totals = TakeLine(*stats);
    for (const FamilyInfo& family : kIpvsTotals) {
      const std::optional<std::uint64_t> value = ParseIpvsHex(TakeWord(totals));
      if (!value) return Fail(ErrorCode::kInvalid, "{}: broken", stats_.path().string());
      out.Family(family.name, family.type, family.help);
      out.Sample("", *value);
    }
    const Result<std::string_view> backends = backends_.Read();
    if (!backends) return Forward(backends.error());
    WriteBackends(out, *backends);
    return {};
  }

 private:
  using Figures = std::array<std::uint64_t, 3>;  // As kIpvsBackends.

  void WriteBackends(telemetry::TextWriter& out, std::string_view content) {
    std::map<std::string, Figures> sums;  // By labels.
    std::map<std::string_view, std::string> service;
    while (!content.empty()) {
      std::string_view line = TakeLine(content);
      const std::string_view first = TakeWord(line);
      const std::string_view second = TakeWord(line);
      if (first == "TCP" || first == "UDP") {
        const IpvsAddress local = ParseIpvsAddress(second).value_or(IpvsAddress());
        service = {{"local_address", local.address},
                   {"local_mark", ""},
                   {"local_port", local.port},
                   {"proto", std::string(first)}};
      } else if (first == "FWM") {
        service = {{"local_address", ""},
                   {"local_mark", std::string(second)},
                   {"local_port", "0"},
                   {"proto", "FWM"}};
      } else if (first == "->") {
        AddBackend(service, second, line, sums);
      }
    }
    for (std::size_t i = 0; i < kIpvsBackends.size(); ++i) {
      out.Family(kIpvsBackends[i].name, kIpvsBackends[i].type, kIpvsBackends[i].help);
      for (const auto& [labels, figures] : sums) out.Sample(labels, figures[i]);
    }
  }

  void AddBackend(std::map<std::string_view, std::string>& service, std::string_view address,
                  std::string_view line, std::map<std::string, Figures>& sums) const {
    const std::optional<IpvsAddress> remote = ParseIpvsAddress(address);
    if (!remote) return;  // A heading.
    TakeWord(line);       // How packets are forwarded.
    const auto weight = ParseValue<std::uint64_t>(TakeWord(line));
    const auto active = ParseValue<std::uint64_t>(TakeWord(line));
    const auto inactive = ParseValue<std::uint64_t>(TakeWord(line));
    if (!weight || !active || !inactive) return;
    service["remote_address"] = remote->address;
    service["remote_port"] = remote->port;
    LabelText labels;
    for (const std::string& label : labels_) labels.Add(label, service[label]);
    Figures& sum = sums[std::string(labels.text())];
    sum[0] += *active;
    sum[1] += *inactive;
    sum[2] += *weight;
  }

  KernelFile stats_;
  KernelFile backends_;
  std::vector<std::string> labels_;
};

}  // namespace

CollectorResult CreateIpvs(const CollectorOptions& options) {
  std::vector<std::string> chosen;
  std::string_view rest = options.ipvs_backend_labels;
  while (!rest.empty()) {
    const std::size_t comma = std::min(rest.find(','), rest.size());
    const std::string label(rest.substr(0, comma));
    rest.remove_prefix(std::min(comma + 1, rest.size()));
    if (label.empty()) continue;
    if (std::find(kIpvsLabels.begin(), kIpvsLabels.end(), label) == kIpvsLabels.end()) {
      return Fail(ErrorCode::kInvalid, "--collector.ipvs.backend-labels: \"{}\" is no label{}",
                  label, DidYouMean(label, kIpvsLabels));
    }
    chosen.push_back(label);
  }
  std::sort(chosen.begin(), chosen.end());
  return std::make_unique<Ipvs>(options, std::move(chosen));
}

}  // namespace atalaya::exporter
