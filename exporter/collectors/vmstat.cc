#include <array>

#include "exporter/collector_table.h"
#include "exporter/kernel_file.h"

namespace atalaya::exporter {
namespace {

using telemetry::MetricType;
using telemetry::TextWriter;

// node_exporter's default choice: ^(oom_kill|pgpg|pswp|pg.*fault).*
bool IsWanted(std::string_view key) {
  if (key.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") != std::string_view::npos)
    return false;
  return key.starts_with("oom_kill") || key.starts_with("pgpg") || key.starts_with("pswp") ||
         (key.starts_with("pg") && key.find("fault", 2) != std::string_view::npos);
}

class Vmstat final : public Collector {
 public:
  explicit Vmstat(const CollectorOptions& options) : vmstat_(options.procfs / "vmstat") {}

  Status Collect(TextWriter& out) override {
    Result<std::string_view> content = vmstat_.Read();
    if (!content) return Forward(content.error());
    while (!content->empty()) {
      std::string_view line = TakeLine(*content);
      const std::string_view key = TakeWord(line);
      if (!IsWanted(key)) continue;
      const std::optional<std::uint64_t> value = ParseNumber<std::uint64_t>(TakeWord(line));
      if (!value) continue;
      metric_.assign("node_vmstat_").append(key);
      help_.assign("The field ").append(key).append(" of /proc/vmstat.");
      out.Family(metric_, MetricType::kUntyped, help_);
      out.Sample("", *value);
    }
    return {};
  }

 private:
  KernelFile vmstat_;
  std::string metric_;
  std::string help_;
};

}  // namespace

CollectorResult CreateVmstat(const CollectorOptions& options) {
  return std::make_unique<Vmstat>(options);
}

}  // namespace atalaya::exporter
