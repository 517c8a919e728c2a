#include <array>
#include <vector>

#include "exporter/collector_table.h"
#include "exporter/kernel_file.h"
#include "exporter/nfs_procedures.h"
#include "exporter/sample_sheet.h"

namespace atalaya::exporter {
namespace {

using telemetry::MetricType;
using telemetry::TextWriter;

// One number of /proc/net/rpc/nfsd: the line it stands on, and its column there.
struct NfsdFigure {
  std::string_view line;
  std::size_t column;
  FamilyInfo family;
};

constexpr std::array<NfsdFigure, 11> kNfsdFigures = {{
    {"net", 3, {"node_nfsd_connections_total", MetricType::kCounter, "TCP connections."}},
    {"io", 0, {"node_nfsd_disk_bytes_read_total", MetricType::kCounter, "Bytes read."}},
    {"io", 1, {"node_nfsd_disk_bytes_written_total", MetricType::kCounter, "Bytes written."}},
    {"fh",
     0,
     {"node_nfsd_file_handles_stale_total", MetricType::kCounter, "File handles gone stale."}},
    {"ra",
     11,
     {"node_nfsd_read_ahead_cache_not_found_total", MetricType::kCounter,
      "Misses of the cache for reading ahead."}},
    {"ra",
     0,
     {"node_nfsd_read_ahead_cache_size_blocks", MetricType::kGauge,
      "Size of the cache for reading ahead."}},
    {"rc",
     0,
     {"node_nfsd_reply_cache_hits_total", MetricType::kCounter,
      "Calls that came again because their answer was lost."}},
    {"rc",
     1,
     {"node_nfsd_reply_cache_misses_total", MetricType::kCounter,
      "Calls whose answer had to be kept."}},
    {"rc",
     2,
     {"node_nfsd_reply_cache_nocache_total", MetricType::kCounter,
      "Calls whose answer need not be kept."}},
    {"rpc", 0, {"node_nfsd_server_rpcs_total", MetricType::kCounter, "Remote calls served."}},
    {"th", 0, {"node_nfsd_server_threads", MetricType::kGauge, "Threads of the kernel's server."}},
}};

class Nfsd final : public Collector {
 public:
  explicit Nfsd(const CollectorOptions& options) : nfsd_(options.procfs / "net/rpc/nfsd") {}

  Status Collect(TextWriter& out) override {
    const Result<std::string_view> content = nfsd_.Read();
    if (!content) return Forward(content.error());
    const NfsLines lines = ReadNfsLines(*content);
    for (const NfsdFigure& figure : kNfsdFigures) {
      out.Family(figure.family.name, figure.family.type, figure.family.help);
      out.Sample("", lines.Row(figure.line, figure.column + 1)[figure.column]);
    }
    const std::vector<std::uint64_t> net = lines.Row("net", 4);
    out.Family("node_nfsd_packets_total", MetricType::kCounter, "Network packets, by protocol.");
    out.Sample("proto=\"tcp\"", net[2]);
    out.Sample("proto=\"udp\"", net[1]);
    out.Family("node_nfsd_requests_total", MetricType::kCounter, "Calls that NFS clients made.");
    WriteNfsProcedures(out, lines, "proc2", "2", kNfs2Procedures, NfsSide::kServer);
    WriteNfsProcedures(out, lines, "proc3", "3", kNfs3Procedures, NfsSide::kServer);
    WriteNfsProcedures(out, lines, "proc4ops", "4", kNfs4ServerProcedures, NfsSide::kServer);
    const std::vector<std::uint64_t> rpc = lines.Row("rpc", 5);
    out.Family("node_nfsd_rpc_errors_total", MetricType::kCounter, "Bad remote calls, by kind.");
    out.Sample("error=\"auth\"", rpc[3]);
    out.Sample("error=\"cInt\"", rpc[4]);
    out.Sample("error=\"fmt\"", rpc[2]);
    return {};
  }

 private:
  KernelFile nfsd_;
};

}  // namespace

CollectorResult CreateNfsd(const CollectorOptions& options) {
  return std::make_unique<Nfsd>(options);
}

}  // namespace atalaya::exporter
