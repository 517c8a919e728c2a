#include <unordered_map>

#include "exporter/collector_table.h"
#include "exporter/kernel_file.h"

namespace atalaya::exporter {
namespace {

using telemetry::MetricType;
using telemetry::TextWriter;

constexpr std::uint64_t kBytesPerKb = 1024;

struct Names {
  std::string metric;
  std::string help;
};

// "Active(anon)" with a unit is node_memory_Active_anon_bytes.
Names NamesOf(std::string_view key, bool bytes) {
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

bool IsNameKey(std::string_view key) {
  return !key.empty() && key.find_first_not_of(
                             "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                             "0123456789_()") == std::string_view::npos;
}

class Meminfo final : public Collector {
 public:
  explicit Meminfo(const CollectorOptions& options)
      : meminfo_(options.procfs / "meminfo", FileShape::kWhole) {}

  Status Collect(TextWriter& out) override {
    Result<std::string_view> content = meminfo_.Read();
    if (!content) return Forward(content.error());
    while (!content->empty()) {
      std::string_view line = TakeLine(*content);
      const std::size_t colon = line.find(':');
      if (colon == std::string_view::npos) continue;
      const std::string_view key = line.substr(0, colon);
      line.remove_prefix(colon + 1);
      const std::optional<std::uint64_t> value = ParseValue<std::uint64_t>(TakeWord(line));
      if (!value || !IsNameKey(key)) continue;
      const bool bytes = TakeWord(line) == "kB";
      const Names& names = NamesFor(key, bytes);
      out.Family(names.metric, MetricType::kGauge, names.help);
      out.Sample("", bytes ? *value * kBytesPerKb : *value);
    }
    return {};
  }

 private:
  const Names& NamesFor(std::string_view key, bool bytes) {
    scratch_ = key;
    const auto it = names_.find(scratch_);
    if (it != names_.end()) return it->second;
    return names_.emplace(scratch_, NamesOf(key, bytes)).first->second;
  }

  KernelFile meminfo_;
  std::string scratch_;
  std::unordered_map<std::string, Names> names_;
};

}  // namespace

CollectorResult CreateMeminfo(const CollectorOptions& options) {
  return std::make_unique<Meminfo>(options);
}

}  // namespace atalaya::exporter
