#include <unistd.h>

#include "exporter/collector_table.h"
#include "exporter/kernel_file.h"

namespace atalaya::exporter {
namespace {

using telemetry::MetricType;
using telemetry::TextWriter;

bool IsName(std::string_view text) {
  return !text.empty() && text.find_first_not_of(
                              "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") ==
                              std::string_view::npos;
}

class Sockstat final : public Collector {
 public:
  explicit Sockstat(const CollectorOptions& options)
      : sockstat_(options.procfs / "net/sockstat", FileShape::kWhole),
        sockstat6_(options.procfs / "net/sockstat6", FileShape::kWhole) {}

  Status Collect(TextWriter& out) override {
    const Result<std::string_view> v4 = sockstat_.Read();
    if (!v4) return Forward(v4.error());
    Write(out, *v4);
    // A kernel without IPv6 has no such file.
    if (const Result<std::string_view> v6 = sockstat6_.Read()) Write(out, *v6);
    return {};
  }

 private:
  // Lines like "TCP: inuse 5 orphan 0 tw 0 alloc 7 mem 1".
  void Write(TextWriter& out, std::string_view content) {
    while (!content.empty()) {
      std::string_view line = TakeLine(content);
      std::string_view protocol = TakeWord(line);
      if (!protocol.ends_with(':')) continue;
      protocol.remove_suffix(1);
      while (!line.empty()) {
        const std::string_view key = TakeWord(line);
        const std::optional<std::uint64_t> value = ParseValue<std::uint64_t>(TakeWord(line));
        if (!value || !IsName(key) || !IsName(protocol)) break;
        WriteFigure(out, protocol, key, *value);
      }
    }
  }

  void WriteFigure(TextWriter& out, std::string_view protocol, std::string_view key,
                   std::uint64_t value) {
    metric_.assign("node_sockstat_").append(protocol).append("_").append(key);
    help_.assign("The field ").append(key).append(" of ").append(protocol);
    help_.append(" in the kernel's sockstat.");
    out.Family(metric_, MetricType::kGauge, help_);
    out.Sample("", value);
    if (key != "mem") return;
    // The kernel counts pages.
    metric_.append("_bytes");
    out.Family(metric_, MetricType::kGauge, "Memory of the sockets of a protocol.");
    out.Sample("", value * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE)));
  }

  KernelFile sockstat_;
  KernelFile sockstat6_;
  std::string metric_;
  std::string help_;
};

}  // namespace

CollectorResult CreateSockstat(const CollectorOptions& options) {
  return std::make_unique<Sockstat>(options);
}

}  // namespace atalaya::exporter
