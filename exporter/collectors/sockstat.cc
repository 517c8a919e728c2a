#include <unistd.h>

#include "exporter/collector_table.h"
#include "exporter/field_families.h"
#include "exporter/kernel_file.h"

namespace atalaya::exporter {
namespace {

using telemetry::MetricType;
using telemetry::TextWriter;

class Sockstat final : public Collector {
 public:
  explicit Sockstat(const CollectorOptions& options)
      : sockstat_(options.procfs / "net/sockstat", FileShape::kWhole),
        sockstat6_(options.procfs / "net/sockstat6", FileShape::kWhole) {}

  Status Collect(TextWriter& out) override {
    const Result<std::string_view> v4 = sockstat_.Read();
    if (!v4) return Forward(v4.error());
    families_.BeginScrape();
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
        if (!value) break;
        WriteFigures(out, protocol, key, *value);
      }
    }
  }

  void WriteFigures(TextWriter& out, std::string_view protocol, std::string_view key,
                    std::uint64_t value) {
    field_.assign(protocol).append("_").append(key);
    WriteFigure(out, value);
    if (key != "mem") return;
    // The kernel counts pages.
    field_.append("_bytes");
    WriteFigure(out, value * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE)));
  }

  void WriteFigure(TextWriter& out, std::uint64_t value) {
    const auto* family = families_.Once(field_, [](std::string_view field) {
      return FieldFamilies::Family{fmt::format("node_sockstat_{}", field),
                                   fmt::format("The field {} of the kernel's sockstat.", field)};
    });
    if (family == nullptr) return;
    out.Family(family->metric, MetricType::kGauge, family->help);
    out.Sample("", value);
  }

  KernelFile sockstat_;
  KernelFile sockstat6_;
  FieldFamilies families_;
  std::string field_;  // "TCP_inuse"
};

}  // namespace

CollectorResult CreateSockstat(const CollectorOptions& options) {
  return std::make_unique<Sockstat>(options);
}

}  // namespace atalaya::exporter
