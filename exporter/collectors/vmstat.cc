#include "exporter/collector_table.h"
#include "exporter/field_families.h"
#include "exporter/kernel_file.h"

namespace atalaya::exporter {
namespace {

using telemetry::MetricType;
using telemetry::TextWriter;

class Vmstat final : public Collector {
 public:
  Vmstat(const CollectorOptions& options, NameFilter fields)
      : vmstat_(options.procfs / "vmstat"), fields_(std::move(fields)) {}

  Status Collect(TextWriter& out) override {
    Result<std::string_view> content = vmstat_.Read();
    if (!content) return Forward(content.error());
    families_.BeginScrape();
    while (!content->empty()) {
      std::string_view line = TakeLine(*content);
      const auto* family = families_.Once(
          TakeWord(line), [this](std::string_view field) { return FamilyOf(field); });
      if (family == nullptr) continue;
      const std::optional<std::uint64_t> value = ParseValue<std::uint64_t>(TakeWord(line));
      if (!value) continue;
      out.Family(family->metric, MetricType::kUntyped, family->help);
      out.Sample("", *value);
    }
    return {};
  }

 private:
  FieldFamilies::Family FamilyOf(std::string_view field) const {
    if (!fields_.Matches(field)) return {};
    return {fmt::format("node_vmstat_{}", field),
            fmt::format("The field {} of /proc/vmstat.", field)};
  }

  KernelFile vmstat_;
  NameFilter fields_;
  FieldFamilies families_;
};

}  // namespace

CollectorResult CreateVmstat(const CollectorOptions& options) {
  Result<NameFilter> fields = NameFilter::Create(options.vmstat_fields, "collector.vmstat.fields");
  if (!fields) return Forward(fields.error());
  return std::make_unique<Vmstat>(options, std::move(*fields));
}

}  // namespace atalaya::exporter
