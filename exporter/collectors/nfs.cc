#include <array>
#include <span>
#include <vector>

#include "exporter/collector_table.h"
#include "exporter/kernel_file.h"
#include "exporter/nfs_procedures.h"

namespace atalaya::exporter {
namespace {

using telemetry::MetricType;
using telemetry::TextWriter;

class Nfs final : public Collector {
 public:
  explicit Nfs(const CollectorOptions& options) : nfs_(options.procfs / "net/rpc/nfs") {}

  Status Collect(TextWriter& out) override {
    const Result<std::string_view> content = nfs_.Read();
    if (!content) return Forward(content.error());
    const NfsLines lines = ReadNfsLines(*content);
    const std::vector<std::uint64_t> net = lines.Row("net", 4);
    const std::vector<std::uint64_t> rpc = lines.Row("rpc", 3);
    const auto counter = [&](std::string_view metric, std::string_view help, std::uint64_t value) {
      out.Family(metric, MetricType::kCounter, help);
      out.Sample("", value);
    };
    counter("node_nfs_connections_total", "TCP connections of the NFS client.", net[3]);
    out.Family("node_nfs_packets_total", MetricType::kCounter,
               "Network packets of the NFS client, by protocol.");
    out.Sample("protocol=\"tcp\"", net[2]);
    out.Sample("protocol=\"udp\"", net[1]);
    out.Family("node_nfs_requests_total", MetricType::kCounter, "Calls of the NFS client.");
    WriteNfsProcedures(out, lines, "proc2", "2", kNfs2Procedures);
    WriteNfsProcedures(out, lines, "proc3", "3", kNfs3Procedures);
    WriteNfsProcedures(out, lines, "proc4", "4", kNfs4ClientProcedures);
    counter("node_nfs_rpc_authentication_refreshes_total", "Renewals of credentials.", rpc[2]);
    counter("node_nfs_rpc_retransmissions_total", "Calls sent again.", rpc[1]);
    counter("node_nfs_rpcs_total", "Remote calls made.", rpc[0]);
    return {};
  }

 private:
  KernelFile nfs_;
};

}  // namespace

CollectorResult CreateNfs(const CollectorOptions& options) {
  return std::make_unique<Nfs>(options);
}

}  // namespace atalaya::exporter
