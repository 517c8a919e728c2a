#include <array>
#include <vector>

#include "exporter/collector_table.h"
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
    for (std::size_t row = 0; !content->empty(); ++row) {
      std::string_view line = TakeLine(*content);
      const std::string_view key = TakeWord(line);
      if (rows_.size() <= row) rows_.emplace_back();
      Row& known = rows_[row];
      if (known.key != key) Name(known, key);
      if (known.metric.empty()) continue;
      const std::optional<std::uint64_t> value = ParseValue<std::uint64_t>(TakeWord(line));
      if (!value) continue;
      out.Family(known.metric, MetricType::kUntyped, known.help);
      out.Sample("", *value);
    }
    return {};
  }

 private:
  struct Row {
    std::string key;
    std::string metric;  // Empty: left out.
    std::string help;
  };

  void Name(Row& row, std::string_view key) const {
    row.key = key;
    row.metric.clear();
    if (!fields_.Matches(key)) return;
    row.metric.assign("node_vmstat_").append(key);
    row.help.assign("The field ").append(key).append(" of /proc/vmstat.");
  }

  KernelFile vmstat_;
  NameFilter fields_;
  std::vector<Row> rows_;  // The kernel keeps the order of its lines.
};

}  // namespace

CollectorResult CreateVmstat(const CollectorOptions& options) {
  Result<NameFilter> fields = NameFilter::Create(options.vmstat_fields, "collector.vmstat.fields");
  if (!fields) return Forward(fields.error());
  return std::make_unique<Vmstat>(options, std::move(*fields));
}

}  // namespace atalaya::exporter
