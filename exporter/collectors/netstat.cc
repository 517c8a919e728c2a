#include "exporter/collector_table.h"
#include "exporter/field_families.h"
#include "exporter/kernel_file.h"
#include "exporter/name_filter.h"

namespace atalaya::exporter {
namespace {

using telemetry::MetricType;
using telemetry::TextWriter;

class Netstat final : public Collector {
 public:
  Netstat(const CollectorOptions& options, NameFilter fields)
      : netstat_(options.procfs / "net/netstat", FileShape::kWhole),
        snmp_(options.procfs / "net/snmp", FileShape::kWhole),
        snmp6_(options.procfs / "net/snmp6", FileShape::kWhole),
        fields_(std::move(fields)) {}

  Status Collect(TextWriter& out) override {
    families_.BeginScrape();
    for (KernelFile* file : {&netstat_, &snmp_}) {
      const Result<std::string_view> content = file->Read();
      if (!content) return Forward(content.error());
      WritePairs(out, *content);
    }
    // A kernel without IPv6 has no such file.
    if (const Result<std::string_view> content = snmp6_.Read()) WriteLines(out, *content);
    return {};
  }

 private:
  // Two lines each: "Tcp: ActiveOpens ..." with names, "Tcp: 12 ..." with values.
  void WritePairs(TextWriter& out, std::string_view content) {
    while (!content.empty()) {
      std::string_view names = TakeLine(content);
      std::string_view values = TakeLine(content);
      std::string_view protocol = TakeWord(names);
      if (TakeWord(values) != protocol || !protocol.ends_with(':')) continue;
      protocol.remove_suffix(1);
      while (!names.empty() && !values.empty()) {
        const std::string_view name = TakeWord(names);
        WriteFigure(out, protocol, name, TakeWord(values));
      }
    }
  }

  // "Ip6InOctets  12"
  void WriteLines(TextWriter& out, std::string_view content) {
    while (!content.empty()) {
      std::string_view line = TakeLine(content);
      const std::string_view name = TakeWord(line);
      const std::size_t six = name.find('6');
      if (six == std::string_view::npos) continue;
      WriteFigure(out, name.substr(0, six + 1), name.substr(six + 1), TakeWord(line));
    }
  }

  void WriteFigure(TextWriter& out, std::string_view protocol, std::string_view name,
                   std::string_view value) {
    field_.assign(protocol).append("_").append(name);
    const auto* family =
        families_.Once(field_, [this](std::string_view field) { return FamilyOf(field); });
    if (family == nullptr) return;
    // Some fields are -1 where they mean nothing (Tcp MaxConn).
    const std::optional<std::int64_t> number = ParseValue<std::int64_t>(value);
    if (!number) return;
    out.Family(family->metric, MetricType::kUntyped, family->help);
    out.Sample("", *number);
  }

  FieldFamilies::Family FamilyOf(std::string_view field) const {
    if (!fields_.Matches(field)) return {};
    return {fmt::format("node_netstat_{}", field),
            fmt::format("The field {} of the kernel's network statistics.", field)};
  }

  KernelFile netstat_;
  KernelFile snmp_;
  KernelFile snmp6_;
  NameFilter fields_;
  FieldFamilies families_;
  std::string field_;  // "Tcp_InSegs"
};

}  // namespace

CollectorResult CreateNetstat(const CollectorOptions& options) {
  Result<NameFilter> fields =
      NameFilter::Create(options.netstat_fields, "collector.netstat.fields");
  if (!fields) return Forward(fields.error());
  return std::make_unique<Netstat>(options, std::move(*fields));
}

}  // namespace atalaya::exporter
