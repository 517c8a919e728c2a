#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <span>
#include <string_view>
#include <vector>

#include "telemetry/text_writer.h"

namespace atalaya::exporter {

// The lines of /proc/net/rpc/nfs and nfsd: "proc3 22 1 4084749 ...". Views of the content.
struct NfsLines {
  std::map<std::string_view, std::vector<std::uint64_t>> rows;  // By the first word.

  // The numbers of a line, made up to at least `columns` with 0.
  std::vector<std::uint64_t> Row(std::string_view name, std::size_t columns) const;
};
NfsLines ReadNfsLines(std::string_view content);

// The calls of each version of NFS in the kernel's order (RFC 1094, 1813, 7530, 8881; the client's
// own order in fs/nfs/nfs4xdr.c), named as node_exporter names them; "" is left out.
extern const std::array<std::string_view, 18> kNfs2Procedures;
extern const std::array<std::string_view, 22> kNfs3Procedures;
extern const std::array<std::string_view, 59> kNfs4ClientProcedures;
extern const std::array<std::string_view, 38> kNfs4ServerProcedures;

enum class NfsSide { kClient, kServer };  // A server's "Null" calls are not shown.

// Appends a sample for each call to the family begun before; `row` begins with the number of calls.
void WriteNfsProcedures(telemetry::TextWriter& out, const NfsLines& lines, std::string_view row,
                        std::string_view version, std::span<const std::string_view> names,
                        NfsSide side = NfsSide::kClient);

}  // namespace atalaya::exporter
