#include "exporter/collector_table.h"
#include "exporter/field_families.h"
#include "exporter/kernel_file.h"

namespace atalaya::exporter {
namespace {

using telemetry::MetricType;
using telemetry::TextWriter;

constexpr std::uint64_t kBytesPerKb = 1024;

// "Active(anon)" with a unit is node_memory_Active_anon_bytes.
FieldFamilies::Family FamilyOf(std::string_view key, bool bytes) {
  std::string metric = "node_memory_";
  for (const char c : key) {
    if (c == '(') {
      metric += '_';
    } else if (c != ')') {
      metric += c;
    }
  }
  if (bytes) metric += "_bytes";
  return {metric, fmt::format("{} as /proc/meminfo gives it{}.", key, bytes ? ", in bytes" : "")};
}

class Meminfo final : public Collector {
 public:
  explicit Meminfo(const CollectorOptions& options)
      : meminfo_(options.procfs / "meminfo", FileShape::kWhole) {}

  Status Collect(TextWriter& out) override {
    Result<std::string_view> content = meminfo_.Read();
    if (!content) return Forward(content.error());
    families_.BeginScrape();
    while (!content->empty()) {
      std::string_view line = TakeLine(*content);
      const std::size_t colon = line.find(':');
      if (colon == std::string_view::npos) continue;
      const std::string_view key = line.substr(0, colon);
      line.remove_prefix(colon + 1);
      const std::optional<std::uint64_t> value = ParseValue<std::uint64_t>(TakeWord(line));
      if (!value) continue;
      const bool bytes = TakeWord(line) == "kB";
      const auto* family =
          families_.Once(key, [bytes](std::string_view field) { return FamilyOf(field, bytes); });
      if (family == nullptr) continue;
      out.Family(family->metric, MetricType::kGauge, family->help);
      out.Sample("", bytes ? *value * kBytesPerKb : *value);
    }
    return {};
  }

 private:
  KernelFile meminfo_;
  FieldFamilies families_;
};

}  // namespace

CollectorResult CreateMeminfo(const CollectorOptions& options) {
  return std::make_unique<Meminfo>(options);
}

}  // namespace atalaya::exporter
